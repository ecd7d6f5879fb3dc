"""A database of the benchmark's own, gone afterwards: PostgreSQL or SQLite."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, connections

from tests import settings
from tests.servers import postgres_server


@contextmanager
def postgresql() -> Iterator[str]:
    """Run PostgreSQL, migrated, as the default database; yield what it calls itself."""
    with postgres_server() as url, _default(url):
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            [version] = cursor.fetchone()
        yield f"PostgreSQL {version}"


@contextmanager
def sqlite() -> Iterator[str]:
    """Make a new SQLite file, migrated, the default database; yield its version."""
    with (
        tempfile.TemporaryDirectory(prefix="notifications-") as directory,
        _default(f"sqlite:///{Path(directory, 'db.sqlite3')}"),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT 'SQLite ' || sqlite_version()")
        [version] = cursor.fetchone()
        yield version


@contextmanager
def _default(url: str) -> Iterator[None]:
    before = connections.settings["default"]
    _become(settings.database(url))
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        _become(before)


def _become(options: dict[str, object]) -> None:
    for opened in connections.all(initialized_only=True):
        opened.close()
        del connections[opened.alias]
    configured = connections.configure_settings({"default": options})
    connections.settings["default"] = configured["default"]
    ContentType.objects.clear_cache()
