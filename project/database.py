"""The database setting, from a URL. Knows nothing of where the URL comes from."""

from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def from_url(url: str) -> dict[str, Any]:
    """
    Return the entry for DATABASES that *url* describes.

    ``postgres://user:password@host:port/name?option=value``, where a ``host``
    among the options is the directory of a socket, or ``sqlite:///path``.
    Special characters are percent-encoded.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "postgres" | "postgresql":
            return postgresql(parts)
        case "sqlite":
            return sqlite(unquote(parts.path.removeprefix("/")))
    raise ImproperlyConfigured(
        f"DATABASE_URL starts with {parts.scheme!r}. "
        "Known: postgres://user:password@host:port/name, sqlite:///path."
    )


def postgresql(parts: SplitResult) -> dict[str, Any]:
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": parts.port or "",
        "OPTIONS": options,
    }


def sqlite(path: str | Path) -> dict[str, Any]:
    """
    Return an entry under which several processes may write to the file at *path*.

    Readers go on while one writes (WAL), and a transaction takes the write lock
    at its start: one that began by reading could not wait for it later, and
    failed with "database is locked" whatever the timeout.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        },
    }
