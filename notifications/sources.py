"""
Where one user's notifications are, and where what they did with them is kept.

Two places: the row of a personal notification, and a ``Receipt`` for a broadcast.
``inbox`` alone asks here. Why the queries are as they are, and their plans, is in
docs/explanation/queries.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain, starmap
from typing import Any, NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router
from django.db.models import F, FilteredRelation, Q, QuerySet

from . import audiences
from .conf import conf
from .constants import Placement
from .models import Notification, NotificationQuerySet, Receipt

UNREAD = Q(read_at=None)
UNARCHIVED = Q(archived_at=None)
# Not its negation: SQLite would not know it for the condition of its index.
ARCHIVED = Q(archived_at__isnull=False)


class Head(NamedTuple):
    """
    As much of a row as an index holds.

    Broadcasts are found by their heads: they lie far apart in the table, and
    most of those looked at are not the ones wanted.
    """

    pk: int
    publish_at: datetime
    announced_at: datetime | None
    read_at: datetime | None = None
    archived_at: datetime | None = None


class Sources:
    """The sources of one user, in the database that notifications are written to."""

    def __init__(self, user: AbstractBaseUser) -> None:
        self._user = user

    @cached_property
    def audiences(self) -> frozenset[str]:
        return audiences.keys_of(self._user)

    @property
    def using(self) -> str:
        return router.db_for_write(Notification)

    def rows(self, model: Any) -> Any:
        return model._default_manager.using(self.using)

    def personal(self) -> NotificationQuerySet:
        rows: NotificationQuerySet = self.rows(Notification)
        return rows.filter(recipient=self._user.pk)

    def broadcasts(self) -> NotificationQuerySet:
        chosen = Notification.users.through.objects.using(self.using).filter(
            **{Notification.users.field.m2m_reverse_field_name(): self._user}
        )
        rows: NotificationQuerySet = self.rows(Notification).filter(
            ~Q(audience=audiences.USERS) | Q(pk__in=chosen.values("notification_id")),
            recipient=None,
            audience__in=[*sorted(self.audiences), audiences.USERS],
        )
        if joined := audiences.joined_at(self._user):
            rows = rows.filter(
                Q(publish_at__gte=joined)
                | Q(placement=Placement.BANNER)
                # Chosen by name they had joined, whatever the clocks say.
                | Q(audience=audiences.USERS)
            )
        return rows

    def _with_receipts(self, rows: NotificationQuerySet) -> NotificationQuerySet:
        """For few rows: the receipts are looked up one by one."""
        return rows.annotate(
            mine=FilteredRelation("receipts", condition=Q(receipts__user=self._user)),
            receipt_read_at=F("mine__read_at"),
            receipt_archived_at=F("mine__archived_at"),
        )

    def waiting(self, *, unread: bool = False) -> list[NotificationQuerySet]:
        """What is not archived: the personal rows, then the broadcasts."""
        open_ = UNARCHIVED & UNREAD if unread else UNARCHIVED
        # Read once and hashed, where a join would look each broadcast up.
        return [
            self.personal().filter(open_),
            self.broadcasts().exclude(pk__in=self._receipts(~open_)),
        ]

    def archived(self) -> list[NotificationQuerySet]:
        """What was put away: the personal rows, then the broadcasts."""
        return [
            self.personal().filter(ARCHIVED),
            # Twice negated, so that it is hashed as above: "IN" would be joined.
            self.broadcasts().exclude(~Q(pk__in=self._receipts(ARCHIVED))),
        ]

    def banners(self) -> NotificationQuerySet:
        """The broadcasts that are banners, but for those that were put away."""
        put_away = Q(dismissible=True, pk__in=self._receipts(~UNARCHIVED))
        return self.broadcasts().filter(placement=Placement.BANNER).exclude(put_away)

    def read_at(self, moment: datetime) -> list[NotificationQuerySet]:
        """What was marked read at exactly *moment*, as by one "mark all"."""
        read = Q(read_at=moment)
        return [
            self.personal().filter(read),
            self.broadcasts().filter(pk__in=self._receipts(read)),
        ]

    def _receipts(self, condition: Q) -> Any:
        mine = self.rows(Receipt).filter(condition, user=self._user)
        return mine.values("notification_id")

    def visible(self, ids: Collection[int], now: datetime) -> list[Head]:
        if not ids:
            return []
        personal, broadcasts = (
            rows.visible(now).filter(pk__in=ids)
            for rows in [self.personal(), self._with_receipts(self.broadcasts())]
        )
        return [
            *heads(personal, "read_at", "archived_at"),
            *heads(broadcasts, "receipt_read_at", "receipt_archived_at"),
        ]

    def load(self, found: Sequence[Notification | Head]) -> list[Notification]:
        """Return *found* with the rows of its heads, but for those now deleted."""
        heads = [one.pk for one in found if isinstance(one, Head)]
        rows = self._with_receipts(self.rows(Notification)).in_bulk(heads)
        rows |= {one.pk: one for one in found if isinstance(one, Notification)}
        return [rows[one.pk] for one in found if one.pk in rows]

    def expired_between(self, since: datetime, now: datetime) -> list[int]:
        rows = chain.from_iterable(
            rows.filter(expires_at__gt=since, expires_at__lte=now)
            .order_by("-expires_at")
            .values_list("pk", flat=True)[: conf.REPLAY_LIMIT]
            for rows in [self.personal(), self.broadcasts()]
        )
        return sorted(rows)

    def write_receipts(self, pks: list[int], **change: Any) -> int:
        if not pks:
            return 0
        [(column, value)] = change.items()
        receipts: QuerySet[Receipt] = self.rows(Receipt)
        if value is not None:
            receipts.bulk_create(
                [Receipt(user_id=self._user.pk, notification_id=pk) for pk in pks],
                ignore_conflicts=True,
            )
        return receipts.filter(
            Q(**{f"{column}__isnull": value is not None}),
            user=self._user.pk,
            notification__in=pks,
        ).update(**change)


def heads(rows: NotificationQuerySet, *state: str) -> Iterator[Head]:
    names = ("pk", "publish_at", "announced_at", *state)
    return starmap(Head, rows.values_list(*names))
