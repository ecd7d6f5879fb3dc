"""
After commit: stamp what is due, put it on the wire.

The row is the outbox. ``announced_at`` is NULL until somebody announces it: the
hook of the process that committed it or, if that died, the sweep of any hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, router, transaction

from . import clock, signals
from .audiences import USERS
from .bus import bus
from .conf import conf
from .constants import BATCH_SIZE
from .events import to_microseconds
from .models import Notification, NotificationQuerySet
from .payloads import payload, shed


def announce_on_commit(notifications: Sequence[Notification]) -> None:
    """
    Announce *notifications* once the transaction they are in has committed.

    One hook, which a rolled-back savepoint takes along. It never raises into
    the caller: by then the rows are safe, and the next sweep announces them.
    """
    pks = [notification.pk for notification in notifications]

    def hook() -> None:
        announced = 0
        for batch in _batches(pks):
            announced += announce(Notification.objects.filter(pk__in=batch))
        moments = [row.expires_at for row in notifications]
        if announced < len(pks):
            moments += [row.publish_at for row in notifications if not row.announced_at]
        if _is_soon(moments):
            _poke()

    transaction.on_commit(hook, using=router.db_for_write(Notification), robust=True)


def poke_on_commit() -> None:
    """Have every hub sweep at once: a schedule or an expiry has changed."""
    using = router.db_for_write(Notification)
    transaction.on_commit(_poke, using=using, robust=True)


def announce(pending: NotificationQuerySet) -> int:
    """
    Stamp and send what of *pending* is due and unannounced; return how many.

    Whoever gets a row sends it: several processes may announce the same rows at
    once, and each row leaves exactly once. At most 500 per transaction.
    """
    total = 0
    while True:
        rows, more = _stamp(pending)
        # What expired, or was recalled, before anybody announced it is over.
        for message in messages(row for row in rows if not _is_over(row)):
            bus.send("notifications", **{**message, "data": shed(message["data"])})
        if rows:
            signals.notification_announced.send_robust(Notification, notifications=rows)
        total += len(rows)
        # A batch of which others had a part is not the last one; where they had
        # all of it, they go on.
        if not (rows and more):
            return total


def next_due(now: datetime) -> datetime | None:
    """Return when the next notification becomes due or expires, after *now*."""
    rows = Notification.objects.using(router.db_for_write(Notification))
    scheduled = rows.filter(announced_at=None, publish_at__gt=now)
    expiring = rows.filter(expires_at__gt=now)
    moments: list[Any] = [
        *scheduled.order_by("publish_at").values_list("publish_at", flat=True)[:1],
        *expiring.order_by("expires_at").values_list("expires_at", flat=True)[:1],
    ]
    return min(moments, default=None)


def messages(rows: Iterable[Notification]) -> Iterator[dict[str, Any]]:
    """
    Yield what is handed over for *rows*, which are stamped.

    Personal rows with equal content share a message: the content once, and up
    to 500 ``[recipient, id]`` pairs. A broadcast is one message with its
    audience; where that is a hand-picked list, messages with pairs that say
    ``"broadcast": True``.
    """
    shared: dict[str, tuple[dict[str, Any], list[list[Any]]]] = {}
    for row in rows:
        content = {"data": payload(row), "at": to_microseconds(_announced_at(row))}
        if row.is_broadcast and row.audience != USERS:
            yield {**content, "audience": row.audience, "id": row.pk}
        elif row.is_broadcast:
            chosen = [[recipient, row.pk] for recipient in recipients(row)]
            for batch in _batches(chosen):
                yield {**content, "to": batch, "broadcast": True}
        else:
            _, pairs = shared.setdefault(json.dumps(content), (content, []))
            pairs.append([str(row.recipient_id), row.pk])
    for content, pairs in shared.values():
        for batch in _batches(pairs):
            yield {**content, "to": batch}


def recipients(row: Notification) -> Iterator[str]:
    """Yield the keys of the users that *row* names: one, or a hand-picked list."""
    if not row.is_broadcast:
        yield str(row.recipient_id)
    elif row.audience == USERS:
        # Not from a replica, which may not have heard of them yet.
        written = router.db_for_write(Notification)
        through = Notification.users.through.objects.using(written)
        chosen = through.filter(notification=row.pk)
        field = Notification.users.field.m2m_reverse_field_name()
        yield from map(str, chosen.values_list(f"{field}_id", flat=True).iterator())


def _stamp(pending: NotificationQuerySet) -> tuple[list[Notification], bool]:
    """Stamp a batch; return what nobody else had, and whether there may be more."""
    using = router.db_for_write(Notification)
    now = clock.now()
    due = pending.using(using).unannounced(now).order_by("id")
    # Looked for outside a transaction first: SQLite would take its one write
    # lock even for an UPDATE that matches nothing.
    pks = list(due.values_list("pk", flat=True)[:BATCH_SIZE])
    if not pks:
        return [], False
    # Asked again: what was cancelled or moved meanwhile is not due any more.
    rows = Notification.objects.using(using).filter(pk__in=pks).unannounced(now)
    skip_locked = connections[using].features.has_select_for_update_skip_locked
    with transaction.atomic(using=using):
        if skip_locked:
            got = list(rows.order_by("id").select_for_update(skip_locked=True))
            now = clock.now()
            rows.filter(pk__in=[row.pk for row in got]).update(announced_at=now)
        else:
            # The UPDATE comes first and takes the lock, so that the rows that
            # carry this stamp afterwards are those nobody else had stamped.
            now = clock.now()
            rows.update(announced_at=now)
            got = list(
                Notification.objects.using(using)
                .filter(pk__in=pks, announced_at=now)
                .order_by("id")
            )
    for row in got:
        row.announced_at = now
    return got, len(pks) == BATCH_SIZE


def _poke() -> None:
    bus.send("poke")


def _is_soon(moments: Iterable[datetime | None]) -> bool:
    """Whether one of *moments* comes before hubs have swept, and planned, again."""
    earliest = min(filter(None, moments), default=None)
    if earliest is None:
        return False
    return earliest <= clock.now() + timedelta(seconds=conf.POLL_SECONDS)


def _is_over(row: Notification) -> bool:
    return row.expires_at is not None and row.expires_at <= _announced_at(row)


def _announced_at(row: Notification) -> datetime:
    if row.announced_at is None:
        raise ValueError(f"Notification {row.pk} is not announced yet.")
    return row.announced_at


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]
