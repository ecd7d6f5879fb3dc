"""
One user's notifications, and what they did with them.

Views, tags, stream and API ask here, and nobody else knows that there are two
places for it (``sources``). Each read is a bounded query per source, merged here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Coalesce

from . import clock, signals
from .bus import bus
from .conf import conf
from .constants import COUNT_LIMIT
from .events import Cursor, to_microseconds
from .filters import EVERYTHING, Filter, View
from .models import InboxState, Notification, NotificationQuerySet
from .sources import Head, Sources, heads

# Above this many ids, pages are asked to refresh instead of told which.
MOST_IDS = 200
# More than that is no page any more.
MOST_BANNERS = 3
# A cursor may be this far ahead: app servers render pages while clocks are set.
FUTURE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many notifications wait; at most 1,000, which means "more than 999"."""

    unread: int
    unseen: int


@dataclass(frozen=True, slots=True)
class Page:
    """Visible notifications, newest first, by ``(publish_at, id)``."""

    items: list[Notification]
    next: Cursor | None
    """What to pass as *before* for the page after this one."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a client missed; or why that cannot be told, and it must refetch."""

    items: list[Notification] = field(default_factory=list)
    """By ``(announced_at, id)``; those from before the cursor may be repeats."""
    removed: list[int] = field(default_factory=list)
    reset: str = ""


class Inbox:
    """
    The inbox of *user*, a saved user of any model.

    It reads the database that notifications are written to. Whatever changes is
    told to the user's open pages after commit. Ids of other people's
    notifications are ignored, as if there were none.

    Args:
        now: The database's time, from whoever has just read it: what is asked
            here is answered as of then. Without it each question asks the clock.
    """

    def __init__(self, user: AbstractBaseUser, *, now: datetime | None = None) -> None:
        self.user = user
        self._sources = Sources(user)
        self._now = now

    @property
    def audiences(self) -> frozenset[str]:
        """The keys of the audiences that included the user when first asked."""
        return self._sources.audiences

    def page(
        self,
        limit: int = 20,
        before: Cursor | None = None,
        where: Filter = EVERYTHING,
    ) -> Page:
        """Return at most *limit* notifications, those from *before* a cursor on."""
        older = where.condition()
        if before is not None:
            # Read off the index in this form; not as "lt OR (eq AND lt)".
            older &= Q(publish_at__lte=before.moment) & (
                Q(publish_at__lt=before.moment) | Q(id__lt=before.id)
            )
        now = self._now or clock.now()
        personal, broadcasts = (
            rows.visible(now).filter(older).order_by("-publish_at", "-id")[: limit + 1]
            for rows in self._listed(where.view)
        )
        found = [*personal, *heads(broadcasts)]
        found.sort(key=_published, reverse=True)
        items = found[:limit]
        following = Cursor(*_published(items[-1])) if len(found) > limit else None
        return Page(self._sources.load(items), following)

    def _listed(self, view: View) -> list[NotificationQuerySet]:
        if view is View.ARCHIVED:
            return self._sources.archived()
        return self._sources.waiting(unread=view is View.UNREAD)

    def banners(self, limit: int = MOST_BANNERS) -> list[Notification]:
        """Return the banners that are up for the user, newest first."""
        rows = self._sources.banners().visible(self._now or clock.now())
        newest = rows.order_by("-publish_at", "-id")[:limit]
        return self._sources.load(list(heads(newest)))

    def counts(self) -> Counts:
        """Count what is unread, and what was announced since the bell was opened."""
        return self._counts(self._now or clock.now())

    def _counts(self, now: datetime) -> Counts:
        state = self._sources.rows(InboxState).filter(user=self.user).first()
        totals = [0, 0]
        for rows in self._sources.waiting(unread=True):
            rows = rows.visible(now).order_by("-publish_at", "-id")
            announced = list(rows.values_list("announced_at", flat=True)[:COUNT_LIMIT])
            unread = unseen = len(announced)
            if state is not None:
                # By announced_at, not publish_at: a row is published when its
                # transaction wrote it, and nobody saw it before that committed.
                seen = state.seen_until
                unseen = sum(at is None or at > seen for at in announced)
                if unseen < unread == COUNT_LIMIT:
                    # A filter on the index and not a condition to search by: an
                    # OR would be looked up from two ends, in a great many rows.
                    told = Coalesce("announced_at", Value(now))
                    rows = rows.annotate(told_at=told).filter(told_at__gt=seen)
                    unseen = rows.order_by()[:COUNT_LIMIT].count()
            totals[0] += unread
            totals[1] += unseen
        return Counts(*(min(total, COUNT_LIMIT) for total in totals))

    def get(self, pk: int) -> Notification | None:
        """Return the user's visible notification *pk*, if there is one."""
        return next(iter(self._sources.load(self._visible([pk]))), None)

    def knows(self, ids: Collection[int]) -> bool:
        """Whether at least one of *ids* is a visible notification of the user's."""
        return bool(self._visible(ids))

    def state(self, shown: Collection[int] = ()) -> dict[str, Any]:
        """
        Return the truth about the counts and about the ids in *shown*.

        ``{"as_of": <µs>, "unread", "unseen", "read": [...], "unread_ids": [...],
        "archived": [...], "removed": [...], "upto": None}``; each of *shown* is
        read, unread or removed, and in ``archived`` too if it was put away.
        """
        now = self._now or clock.now()
        found = {head.pk: head for head in self._sources.visible(shown, now)}
        return {
            **self._state(now),
            "read": [pk for pk, head in found.items() if head.read_at],
            "unread_ids": [pk for pk, head in found.items() if not head.read_at],
            "archived": [pk for pk, head in found.items() if head.archived_at],
            "removed": sorted(set(shown) - found.keys()),
        }

    def replay(self, cursor: Cursor, now: datetime) -> Replay:
        """
        Return what was announced after *cursor*, and within the overlap before.

        A stamp may become visible after a later one was sent, so the overlap is
        read again; what is exactly at *cursor* was had. At most
        ``REPLAY_LIMIT`` rows on each side, otherwise a reset.
        """
        if cursor.moment > now + FUTURE:
            return Replay(reset="future")
        if cursor.moment < now - timedelta(days=conf.RETENTION_DAYS):
            return Replay(reset="expired")
        since = cursor.moment - timedelta(seconds=conf.OVERLAP_SECONDS)
        limit = conf.REPLAY_LIMIT
        personal, broadcasts = (
            rows.visible(now)
            .filter(announced_at__gte=since)
            .order_by("announced_at", "id")[: 2 * limit + 1]
            for rows in self._sources.waiting()
        )
        found = [*personal, *heads(broadcasts)]
        found = [one for one in found if _announced(one) != cursor]
        after = sum(1 for one in found if _announced(one) > cursor)
        if after > limit or len(found) - after > limit:
            return Replay(reset="behind")
        # Sorted as loaded: a row may have been announced again since it was found.
        items = sorted(self._sources.load(found), key=_announced)
        return Replay(items, self._sources.expired_between(since, now))

    # Writing

    def mark_seen(self, upto: Cursor | None = None) -> int:
        """Take note that the bell was opened; what came *upto* then is seen."""
        moment = min(upto.moment, clock.now()) if upto else clock.now()
        states = self._sources.rows(InboxState)
        _, created = states.get_or_create(
            user=self.user, defaults={"seen_until": moment}
        )
        changed = int(created) or states.filter(
            user=self.user, seen_until__lt=moment
        ).update(seen_until=moment)
        self._tell(changed)
        return changed

    def mark_read(self, ids: Iterable[int]) -> int:
        """Mark those of *ids* read that were not; return how many."""
        return self._mark(ids, "read", read_at=clock.now())

    def mark_unread(self, ids: Iterable[int]) -> int:
        """Mark those of *ids* unread that were read; return how many."""
        return self._mark(ids, "unread_ids", read_at=None)

    def archive(self, ids: Iterable[int]) -> int:
        """Put those of *ids* away that were not; return how many."""
        return self._mark(ids, "archived", archived_at=clock.now())

    def unarchive(self, ids: Iterable[int]) -> int:
        """Take those of *ids* back that were put away; return how many."""
        return self._mark(ids, "unarchived", archived_at=None)

    def mark_all_read(
        self, upto: Cursor | None = None, *, at: datetime | None = None
    ) -> int:
        """
        Mark everything read that was announced *upto* a cursor; all if omitted.

        Give the cursor of what was shown, so that nothing is marked which the
        user has not seen; and the database's time as *at*, to be able to undo
        it. Returns how many.
        """
        now = at or clock.now()
        bound = Q()
        if upto is not None:
            bound = Q(announced_at__lt=upto.moment) | Q(
                announced_at=upto.moment, id__lte=upto.id
            )
        upto = upto or Cursor.at(now)
        personal, broadcasts = self._sources.waiting(unread=True)
        with transaction.atomic(using=self._sources.using):
            changed = personal.visible(now).filter(bound).update(read_at=now)
            pks = broadcasts.visible(now).filter(bound).values_list("pk", flat=True)
            changed += self._sources.write_receipts(list(pks), read_at=now)
            self._tell(changed, upto=str(upto))
        return changed

    def undo_all_read(self, at: datetime) -> int:
        """Mark what was marked read at exactly *at* unread; return how many."""
        with transaction.atomic(using=self._sources.using):
            personal, broadcasts = self._sources.read_at(at)
            ids = list(personal.values_list("pk", flat=True))
            pks = list(broadcasts.values_list("pk", flat=True))
            changed = personal.update(read_at=None)
            changed += self._sources.write_receipts(pks, read_at=None)
            self._tell(changed, unread_ids=[*ids, *pks])
        return changed

    # Changing and telling

    def _mark(self, ids: Iterable[int], name: str, **change: Any) -> int:
        ids = [int(pk) for pk in ids]
        [(column, value)] = change.items()
        # Only rows that are not in that state yet: the number is what changed.
        other = Q(**{f"{column}__isnull": value is not None})
        now = self._now or clock.now()
        with transaction.atomic(using=self._sources.using):
            personal, broadcasts = (
                rows.visible(now).filter(pk__in=ids)
                for rows in [self._sources.personal(), self._sources.broadcasts()]
            )
            changed = personal.filter(other).update(**change)
            pks = broadcasts.values_list("pk", flat=True)
            changed += self._sources.write_receipts(list(pks), **change)
            self._tell(changed, **{name: ids})
        return changed

    def _tell(self, changed: int, **change: Any) -> None:
        if changed:
            tell = partial(self._publish, change)
            transaction.on_commit(tell, using=self._sources.using, robust=True)

    def _publish(self, change: dict[str, Any]) -> None:
        state = {**self._state(clock.now()), **change}
        to = str(self.user.pk)
        if any(len(ids) > MOST_IDS for ids in change.values()):
            bus.send("refresh", to=to)
        else:
            bus.send("state", to=to, data=state)
        signals.inbox_changed.send_robust(type(self), user=self.user, state=state)

    def _visible(self, ids: Collection[int]) -> list[Head]:
        return self._sources.visible(ids, self._now or clock.now()) if ids else []

    def _state(self, now: datetime) -> dict[str, Any]:
        counts = self._counts(now)
        return {
            "as_of": to_microseconds(now),
            "unread": counts.unread,
            "unseen": counts.unseen,
            "read": [],
            "unread_ids": [],
            "archived": [],
            "unarchived": [],
            "upto": None,
        }


def _published(one: Notification | Head) -> tuple[int, int]:
    # Drafts are not visible.
    return to_microseconds(cast(datetime, one.publish_at)), one.pk


def _announced(one: Notification | Head) -> Cursor:
    # Only announced rows are replayed.
    return Cursor.at(cast(datetime, one.announced_at), one.pk)
