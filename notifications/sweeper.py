"""
The repair path: what the wire lost, the table has.

A sweep announces what is due, then reads what was announced or expired since
the one before, an overlap included, and hands the hub what it has not had.
"""

from __future__ import annotations

import random
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from django.db import router

from . import clock, outbox
from .audiences import USERS
from .bus import bus
from .conf import conf
from .constants import BATCH_SIZE
from .events import to_microseconds
from .models import Notification, NotificationQuerySet

if TYPE_CHECKING:
    from .hub import Hub

# While the wire carries, what was announced a moment ago is still on its way.
GRACE_SECONDS: Final = 1.0
# Between two sweeps while it does not.
DOWN_SECONDS: Final = 2.0
# The database's clock may be set back by this much without anybody noticing.
STEP: Final = timedelta(seconds=5)

Key = tuple[int, int, str]
"""An id, when it was announced (µs), and to whom: a recipient or an audience."""


class Sweeper:
    """One hub's sweeps, and its memory of what its streams were given."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._previous: datetime | None = None
        self._given: set[Key] = set()
        self._lock = threading.Lock()  # the bus's thread remembers, too
        self._removed: set[tuple[int, int]] = set()

    def remember(self, key: Key) -> bool:
        """Note that *key* is given out; return False if it was before."""
        with self._lock:
            if key in self._given:
                return False
            self._given.add(key)
            return True

    def sweep(self) -> float | None:
        """Sweep once; return the seconds until the next, None without streams."""
        if not self._hub.count():
            self._previous = None
            return None
        self._hub.listen()
        outbox.announce(Notification.objects.all())
        now = clock.now()
        if self._previous is not None and now < self._previous - STEP:
            # Clients come back with a cursor in the future, and are reset.
            self._hub.end("clock")
            self._given.clear()
            self._removed.clear()
            self._previous = None
        since = (self._previous or now) - timedelta(seconds=conf.OVERLAP_SECONDS)
        until = now - timedelta(seconds=GRACE_SECONDS if bus.healthy else 0)
        self._deliver(since, until, now)
        self._remove(since, now)
        self._forget(since)
        self._previous = now
        return self._pause(now)

    def _deliver(self, since: datetime, until: datetime, now: datetime) -> None:
        announced = self._rows().filter(
            announced_at__gte=since, announced_at__lte=until
        )
        # What has expired since is over: nobody is to see it come and go.
        announced = announced.visible(now)
        # Ids and addressees first; whole rows only for streams that are open.
        heads = announced.order_by("announced_at", "id").values_list(
            "pk", "announced_at", "recipient_id", "audience"
        )
        missed = []
        for pk, announced_at, recipient, audience in heads.iterator():
            address = audience or str(recipient)
            key = (pk, _microseconds(announced_at), address)
            # Who is on a hand-picked list takes a query; the hub will ask.
            if audience == USERS or (
                key not in self._given and self._hub.reaches(recipient, audience)
            ):
                missed.append(pk)
        for start in range(0, len(missed), BATCH_SIZE):
            batch = missed[start : start + BATCH_SIZE]
            rows = self._rows().filter(pk__in=batch, announced_at__isnull=False)
            for message in outbox.messages(rows.order_by("announced_at", "id")):
                self._hub.deliver(message, swept=True)

    def _remove(self, since: datetime, now: datetime) -> None:
        expired = self._rows().filter(expires_at__gt=since, expires_at__lte=now)
        heads = expired.values_list("pk", "expires_at", "recipient_id", "audience")
        for pk, expires_at, recipient, audience in heads.iterator():
            key = (pk, _microseconds(expires_at))
            # Who is on a hand-picked list takes a query; a stream that opens later
            # is told by its replay.
            if key in self._removed or not (
                audience == USERS or self._hub.reaches(recipient, audience)
            ):
                continue
            self._removed.add(key)
            row = Notification(pk=pk, recipient_id=recipient, audience=audience)
            self._hub.remove(pk, outbox.recipients(row), audience)

    def _forget(self, since: datetime) -> None:
        oldest = to_microseconds(since)
        with self._lock:
            self._given = {key for key in self._given if key[1] >= oldest}
        self._removed = {key for key in self._removed if key[1] >= oldest}

    def _pause(self, now: datetime) -> float:
        # Downwards only: POLL_SECONDS is a promise, and processes shall not
        # sweep in step.
        pause = conf.POLL_SECONDS * random.uniform(0.8, 1.0)
        if not bus.healthy:
            pause = min(pause, DOWN_SECONDS)
        if due := outbox.next_due(now):
            pause = min(pause, (due - now).total_seconds())
        return pause

    @staticmethod
    def _rows() -> NotificationQuerySet:
        return Notification.objects.using(router.db_for_write(Notification))


def _microseconds(moment: datetime | None) -> int:
    # The queries ask for rows that have it.
    return to_microseconds(cast(datetime, moment))
