import pytest
from django.core.exceptions import ImproperlyConfigured

from project import database


def test_a_postgres_url_is_taken_apart():
    url = "postgres://me:a%2Fb@db.example:5433/site?sslmode=require"

    assert database.from_url(url) == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "site",
        "USER": "me",
        "PASSWORD": "a/b",
        "HOST": "db.example",
        "PORT": 5433,
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_socket_is_named_by_its_directory():
    settings = database.from_url("postgresql://postgres@/site?host=/run/db")

    assert settings["HOST"] == "/run/db"
    assert settings["OPTIONS"] == {}


def test_a_sqlite_url_names_a_file():
    assert database.from_url("sqlite:////tmp/a%20b.db")["NAME"] == "/tmp/a b.db"  # noqa: S108 - never opened


def test_another_database_is_refused_with_what_would_work():
    with pytest.raises(ImproperlyConfigured, match=r"'oracle'.*postgres://"):
        database.from_url("oracle://x")
