"""
Settings, read live.

``conf.HEARTBEAT_SECONDS`` is ``settings.NOTIFICATIONS_HEARTBEAT_SECONDS`` if the
project defines it, otherwise the default below. Nothing is cached, so
``override_settings`` works without a signal receiver.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Generic, TypeVar

from django.conf import settings

PREFIX = "NOTIFICATIONS_"

T = TypeVar("T")


class Setting(Generic[T]):
    """A default that the project may override under ``NOTIFICATIONS_<NAME>``."""

    def __init__(self, default: T, doc: str) -> None:
        self.default = default
        self.doc = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = PREFIX + name

    def __get__(self, instance: object, owner: type | None = None) -> T:
        value: T = getattr(settings, self.name, self.default)
        return value


def _half_of_open_files() -> int:
    with suppress(ImportError):  # Windows has neither the module nor the limit
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            return soft // 2
    return 32_768


class Conf:
    """Every setting of the app, with its default and its meaning."""

    CHANNEL_LAYER = Setting("default", "Alias in CHANNEL_LAYERS that the bus uses.")
    HEARTBEAT_SECONDS = Setting(15.0, "Silence on a stream before it sends a ping.")
    STREAM_SECONDS = Setting(
        300.0, "Age at which a stream ends and the page reconnects; up to 20 % less."
    )
    POLL_SECONDS = Setting(10.0, "Longest time between two sweeps of the table.")
    OVERLAP_SECONDS = Setting(
        60.0, "How far before a cursor, or the last sweep, the table is read again."
    )
    REPLAY_LIMIT = Setting(200, "Most notifications replayed after a reconnect.")
    MAX_STREAMS_PER_USER = Setting(
        10, "Open streams of one user in one process; over it the oldest ends."
    )
    MAX_STREAMS = Setting(
        _half_of_open_files(),
        "Open streams of one process; over it a stream is refused with 503.",
    )
    MAX_STREAM_BYTES = Setting(1_000_000, "Bytes after which a stream ends.")
    MAX_EVENT_BYTES = Setting(16_384, "Largest event, encoded.")
    QUEUE_SIZE = Setting(256, "Events waiting in one stream before it is ended.")
    RETENTION_DAYS = Setting(90, "Age at which prune_notifications deletes.")
    BADGE_COUNTS = Setting("unseen", 'What the badge counts: "unseen" or "unread".')

    @classmethod
    def all(cls) -> dict[str, Setting[Any]]:
        """Return every setting by its full name, for checks and docs tests."""
        found = (value for value in vars(cls).values() if isinstance(value, Setting))
        return {setting.name: setting for setting in found}


conf = Conf()
