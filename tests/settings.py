"""
The project that the tests run: what ``startproject`` writes, plus GZip.

The environment chooses the cell: ``DATABASE_URL`` (else a SQLite file),
``TEST_USER_MODEL`` (``custom`` or ``bare``), ``TEST_REDIS_URL`` with
``TEST_LAYER`` (``pubsub`` or ``core``; else the in-memory layer). Processes that
a test starts read ``TEST_SETTINGS``, a JSON object of further settings.
"""

import json
import os
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

HERE = Path(__file__).parent


def sqlite(path):
    # A file, not ":memory:": threads and async code use several connections.
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
        "TEST": {"NAME": path},
    }


def database(url):
    """Return the DATABASES entry for ``sqlite:///path`` or ``postgres://…``."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(unquote(parts.path.removeprefix("/")))
    options = dict(parse_qsl(parts.query))
    name = unquote(parts.path.removeprefix("/")) or "postgres"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": options.pop("port", parts.port or ""),
        "OPTIONS": options,
        "TEST": {"NAME": f"test_notifications_{os.getpid()}"},
    }


DATABASES = {
    "default": database(
        os.environ.get("DATABASE_URL")
        or f"sqlite:///{tempfile.gettempdir()}/notifications-{os.getpid()}.sqlite3"
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
ASGI_APPLICATION = "tests.asgi.application"
LOGIN_URL = "/login/"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "Europe/Vienna"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "notifications",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

if variant := os.environ.get("TEST_USER_MODEL"):
    INSTALLED_APPS.append("tests.customuser")
    AUTH_USER_MODEL = {"custom": "customuser.User", "bare": "customuser.BareUser"}[
        variant
    ]

LAYERS = {
    "memory": lambda url: {"BACKEND": "channels.layers.InMemoryChannelLayer"},
    "pubsub": lambda url: {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [url]},
    },
    "core": lambda url: {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # redis-py 8 gives up reading after 5 s, as long as the layer waits.
            "hosts": [{"address": url, "socket_timeout": 15}],
            # Of 100, the default, some are lost where a reader lacks a processor.
            "capacity": 1000,
        },
    },
}
REDIS_URL = os.environ.get("TEST_REDIS_URL", "")
CHANNEL_LAYERS = {
    "default": LAYERS[
        os.environ.get("TEST_LAYER") or ("pubsub" if REDIS_URL else "memory")
    ](REDIS_URL)
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}

globals().update(json.loads(os.environ.get("TEST_SETTINGS", "{}")))
