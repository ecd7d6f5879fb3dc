"""The reads that happen all day, done by the app's own code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from notifications import clock
from notifications.bus import bus
from notifications.events import Cursor
from notifications.filters import Filter, View
from notifications.hub import Hub
from notifications.inbox import Inbox
from notifications.models import Notification
from notifications.sweeper import Sweeper

from .dataset import Dataset
from .explain import Statement, explain

UNREAD = Filter(View.UNREAD)
ARCHIVED = Filter(View.ARCHIVED)

DUE = 5


@dataclass(frozen=True)
class Operation:
    name: str
    whose: str
    run: Callable[[], Any]
    now: datetime
    """What the database's clock says while it runs."""

    def explain(self) -> list[Statement]:
        """Return its statements; nothing is changed or sent."""
        with (
            mock.patch.object(clock, "now", return_value=self.now),
            mock.patch.object(bus, "send"),
        ):
            return explain(self.run)


def operations(data: Dataset) -> Iterator[Operation]:
    for whose in ("reader", "hoarder", "keeper", "member"):
        yield from _of_inbox(getattr(data, whose), whose, data.now)
    yield Operation("sweep", "", _sweep(data, data.now), data.now)
    # Last, because it leaves dead rows behind though it is rolled back.
    due = _when_due(DUE)
    yield Operation(f"sweep that announces {DUE}", "", _sweep(data, due), due)


def _of_inbox(user: Any, whose: str, now: datetime) -> Iterator[Operation]:
    inbox = Inbox(user)
    inbox.audiences  # noqa: B018 - asked once per request, whatever the size
    deep = Cursor.at(now - timedelta(days=45))
    missed = Cursor.at(now - timedelta(minutes=5))
    runs: dict[str, Callable[[], Any]] = {
        "page, first": inbox.page,
        "page, deep": lambda: inbox.page(before=deep),
        "page, first, unread": lambda: inbox.page(where=UNREAD),
        "page, deep, unread": lambda: inbox.page(before=deep, where=UNREAD),
        "page, first, archived": lambda: inbox.page(where=ARCHIVED),
        "page, deep, archived": lambda: inbox.page(before=deep, where=ARCHIVED),
        "counts": inbox.counts,
        "replay of 5 minutes": lambda: inbox.replay(missed, now),
    }
    for name, run in runs.items():
        yield Operation(name, whose, run, now)
    shown = [row.pk for row in inbox.page().items]
    yield Operation("state of a page", whose, lambda: inbox.state(shown), now)


class _Hub(Hub):
    """A hub that has a stream open for each of *users*, as the sweep sees it."""

    def __init__(self, users: list[Any]) -> None:
        super().__init__()
        self._users = {str(user.pk) for user in users}

    def count(self) -> int:
        return len(self._users)

    def listen(self) -> None:
        """There is no wire here."""

    def reaches(self, recipient: Any, audience: str) -> bool:
        return bool(audience) or str(recipient) in self._users


def _sweep(data: Dataset, now: datetime) -> Callable[[], Any]:
    """Return a sweep ten seconds after the one before, in a process new to both."""
    sweeper = Sweeper(_Hub([data.reader, data.hoarder]))
    sweeper._previous = now - timedelta(seconds=10)
    return sweeper.sweep


def _when_due(number: int) -> datetime:
    """Return when *number* of the scheduled notifications have become due."""
    scheduled = Notification.objects.filter(announced_at=None, publish_at__isnull=False)
    moments = scheduled.order_by("publish_at").values_list("publish_at", flat=True)
    return list(moments[:number])[-1]
