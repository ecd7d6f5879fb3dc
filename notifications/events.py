"""
What travels on a stream, and its bytes.

The only code that knows the wire format of Server-Sent Events
(WHATWG HTML, section 9.2). It knows neither the ORM nor HTTP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from .exceptions import InvalidCursor, InvalidEvent

WIRE_VERSION: Final = 1

HELLO: Final = "hello"
NOTIFICATION: Final = "notification"
STATE: Final = "state"
REMOVED: Final = "removed"
RESET: Final = "reset"
REFRESH: Final = "refresh"
NUMBERS: Final = "numbers"
PING: Final = "ping"
BYE: Final = "bye"

OWN_NAMES: Final = frozenset(
    {HELLO, NOTIFICATION, STATE, REMOVED, RESET, REFRESH, NUMBERS, PING, BYE}
)
# EventSource itself dispatches events of these names.
BROWSER_NAMES: Final = frozenset({"open", "error", "message"})

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
_CURSOR = re.compile(r"(\d{1,18})-(\d{1,19})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST_ID: Final = 2**63 - 1
# A year before the last that a datetime can be in: it fits in every time zone.
_LATEST_US: Final = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND


def to_microseconds(moment: datetime) -> int:
    """Return *moment* as whole microseconds since 1970-01-01 UTC."""
    return (_aware(moment) - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the moment as the ORM would: aware where ``USE_TZ`` is on."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    if settings.USE_TZ:
        return moment
    return timezone.make_naive(moment, timezone.get_default_timezone())


def is_storable(moment: datetime) -> bool:
    """
    Whether *moment* can be read back, and be a cursor: from 1970 to the end of 9998.

    PostgreSQL stores the last hours of 9999 in New York, which are in the year 10000
    in UTC, and then no query that meets them can be answered any more.
    """
    return 0 <= to_microseconds(moment) <= _LATEST_US


def to_iso(moment: datetime) -> str:
    """
    Return *moment* in ISO 8601, with its offset in any case.

    Without one a browser would take it for a moment in its own time zone.
    """
    return _aware(moment).isoformat()


def _aware(moment: datetime) -> datetime:
    if timezone.is_aware(moment):
        return moment
    # USE_TZ = False: in the site's time zone, whichever is active just now.
    return timezone.make_aware(moment, timezone.get_default_timezone())


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """Where a stream resumes: ``<announced_at in microseconds>-<id>``."""

    microseconds: int
    id: int = 0

    @classmethod
    def at(cls, moment: datetime, id: int = 0) -> Cursor:
        return cls(to_microseconds(moment), id)

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """
        Return the cursor that *text* spells.

        Raises:
            InvalidCursor: *text* is anything else, or out of range.
        """
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise InvalidCursor(f"{text[:60]!r} is not <microseconds>-<id>.")
        microseconds, id = map(int, match.groups())
        if microseconds > _LATEST_US or id > _LARGEST_ID:
            raise InvalidCursor(f"{text!r} is out of range.")
        return cls(microseconds, id)

    @property
    def moment(self) -> datetime:
        return from_microseconds(self.microseconds)

    def __str__(self) -> str:
        return f"{self.microseconds}-{self.id}"


@dataclass(frozen=True, slots=True)
class Event:
    """
    One event: a name, JSON data, and a cursor where it can be resumed from.

    *name* matches ``[a-z][a-z0-9_.-]{0,63}``; *data* is anything
    ``DjangoJSONEncoder`` can write.
    """

    name: str
    data: Mapping[str, Any]
    cursor: Cursor | None = None

    def encode(self, *, retry_ms: int | None = None) -> bytes:
        """
        Return the frame: exactly one event for any parser.

        Data is one line of ASCII JSON, so no text in it can end the line, the
        event or the encoding. ``retry:`` shares the block, because some clients
        take a block without data for an event of its own.

        Raises:
            InvalidEvent: The data cannot be written as JSON.
        """
        retry = b"retry: %d\n" % retry_ms if retry_ms is not None else b""
        return frame(self.body(), self.cursor, retry)

    def body(self) -> bytes:
        """Return the frame without its ``id:``, the same for every stream."""
        try:
            data = json.dumps(
                self.data,
                cls=DjangoJSONEncoder,
                ensure_ascii=True,
                allow_nan=False,
                separators=(",", ":"),
            )
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidEvent(
                f"The data of {self.name!r} is not JSON: {error}"
            ) from error
        return f"event: {self.name}\ndata: {data}\n\n".encode("ascii")


def frame(body: bytes, cursor: Cursor | None, retry: bytes = b"") -> bytes:
    """Return *body* with its ``id:`` line, where there is a *cursor*."""
    return retry + (b"id: %s\n" % str(cursor).encode() if cursor else b"") + body


def check_name(name: str) -> None:
    """
    Accept the name of a project's own event.

    Raises:
        InvalidEvent: It is malformed, or taken by the app or by EventSource.
    """
    if _NAME.fullmatch(str(name)) is None:
        raise InvalidEvent(
            f"{name!r} is no event name: a small letter, then at most 63 small "
            "letters, digits, '_', '.' or '-'."
        )
    if name in OWN_NAMES or name in BROWSER_NAMES:
        taken = ", ".join(sorted(OWN_NAMES | BROWSER_NAMES))
        raise InvalidEvent(f"The event name {name!r} is taken. Taken are: {taken}.")
