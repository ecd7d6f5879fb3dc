"""
What staff do with a broadcast: publish, move, cancel, recall, correct, copy, count.

Each change is one conditional UPDATE, so that of two admins, or two clicks, one
has their way and the other is told. Who may do what is the admin's business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import router, transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from . import audiences, clock, outbox
from .audiences import Users
from .constants import INSERT_SIZE, TITLE_LENGTH, Placement
from .events import is_storable
from .exceptions import InvalidNotification
from .models import (
    Broadcast,
    InboxState,
    Notification,
    NotificationQuerySet,
    Receipt,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# What says the same again in a copy, and what a correction may change.
CONTENT: Final = ("title", "body", "url", "level", "category", "data", "translations")
SHOWN: Final = ("placement", "dismissible", "expires_at")
CORRECTABLE: Final = frozenset({*CONTENT, "expires_at"})
ABOUT: Final = ("actor_id", "actor_text", "target_type_id", "target_id", "target_text")
COPIED: Final = (*CONTENT, *ABOUT, *SHOWN)

# A test is not to stay in the inbox of who tested.
TEST_LIFE: Final = timedelta(days=1)


def members(audience: str, chosen: Iterable[Any] = ()) -> Users:
    """
    Return everybody whom *audience* reaches now, as a queryset to count or slice.

    Args:
        chosen: The primary keys, or a subquery of them, that the audience
            ``users`` consists of.

    Raises:
        UnknownAudience: There is no such audience.
    """
    if audience == audiences.USERS:
        users = audiences.active_users().filter(pk__in=chosen)
    else:
        users = audiences.get(audience).users()
    return users.using(_using())


def reached(broadcast: Notification) -> Users:
    """See members(), for a stored *broadcast*: those to whom it is shown."""
    users = members(broadcast.audience, _chosen(broadcast).values(_user_field()))
    # Who joined the site later is not shown what was sent before, but for banners and
    # what is for chosen users: those had joined, whatever the clocks say.
    is_for_all = (
        broadcast.publish_at is None
        or broadcast.placement == Placement.BANNER
        or broadcast.audience == audiences.USERS
    )
    if is_for_all or not hasattr(users.model, "date_joined"):
        return users
    return users.filter(date_joined__lte=broadcast.publish_at)


class Status(StrEnum):
    """How far a broadcast has come."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENT = "sent"
    """It is shown."""
    OVER = "over"
    """It has expired, or was recalled."""

    @property
    def label(self) -> StrOrPromise:
        return _LABELS[self]

    def condition(self, now: datetime) -> Q:
        """Return what the rows that have this status at *now* fulfil."""
        over = Q(publish_at__lte=now, expires_at__lte=now)
        return {
            Status.DRAFT: Q(publish_at=None),
            Status.SCHEDULED: Q(publish_at__gt=now),
            Status.SENT: Q(publish_at__lte=now) & ~over,
            Status.OVER: over,
        }[self]


_LABELS: Final = {
    Status.DRAFT: _("Draft"),
    Status.SCHEDULED: _("Scheduled"),
    Status.SENT: _("Sent"),
    Status.OVER: _("Over"),
}


def status(broadcast: Notification, now: datetime) -> Status:
    """Return the status of *broadcast* at *now*, which is the database's time."""
    if broadcast.publish_at is None:
        return Status.DRAFT
    if broadcast.publish_at > now:
        return Status.SCHEDULED
    if broadcast.expires_at is not None and broadcast.expires_at <= now:
        return Status.OVER
    return Status.SENT


# From draft to sent


def publish(
    draft: Notification,
    *,
    at: datetime | None = None,
    by: AbstractBaseUser | None = None,
) -> bool:
    """
    Make *draft* due now, or *at* a moment to come; False if somebody else had.

    Raises:
        InvalidNotification: It would end before it begins, or never end though
            nobody could put it away.
    """
    now = clock.now()
    moment = max(at or now, now)
    check_ending(draft.dismissible, draft.expires_at, begins=moment)
    drafts = _rows(draft).filter(publish_at=None)
    by_id = by.pk if by else None
    changes = {"publish_at": moment, "published_by": by_id, "announced_at": None}
    if not drafts.update(**changes):
        return False
    draft.publish_at, draft.published_by_id = moment, by_id
    outbox.announce_on_commit([draft])
    return True


def move(scheduled: Notification, at: datetime) -> bool:
    """
    Have *scheduled* be due *at* another moment; False if it is no longer scheduled.

    Raises:
        InvalidNotification: As publish().
    """
    now = clock.now()
    moment = max(at, now)
    check_ending(scheduled.dismissible, scheduled.expires_at, begins=moment)
    if not _scheduled(scheduled, now).update(publish_at=moment):
        return False
    scheduled.publish_at = moment
    outbox.announce_on_commit([scheduled])
    return True


def cancel(scheduled: Notification) -> bool:
    """Make *scheduled* a draft again; False if it is no longer scheduled."""
    rows = _scheduled(scheduled, clock.now())
    return bool(rows.update(publish_at=None, published_by=None))


# After it was sent


def recall(sent: Notification) -> bool:
    """
    Let *sent* expire now; False if it is not shown any more.

    It is gone from every open page within 2 s of the commit, and within
    ``NOTIFICATIONS_POLL_SECONDS`` + 2 s where the bus is down.
    """
    now = clock.now()
    if not _rows(sent).visible(now).update(expires_at=now):
        return False
    sent.expires_at = now
    outbox.poke_on_commit()
    return True


def change_expiry(sent: Notification, expires_at: datetime | None) -> bool:
    """
    Have *sent* end at another moment; False if it is not shown any more.

    Raises:
        InvalidNotification: The moment has passed, or see publish().
    """
    now = clock.now()
    check_ending(sent.dismissible, expires_at, begins=now)
    if not _rows(sent).visible(now).update(expires_at=expires_at):
        return False
    sent.expires_at = expires_at
    outbox.poke_on_commit()
    return True


def correct(sent: Notification, **changes: Any) -> bool:
    """
    Say *sent* anew; False if it is not shown any more.

    It is announced again: open pages replace it in place, without a toast. Who
    has read it has read it, but it counts as unseen again, and the live
    deliveries are counted from the start.

    Args:
        changes: Checked fields, of ``CORRECTABLE``.
    """
    if unknown := changes.keys() - CORRECTABLE:
        raise TypeError(f"{', '.join(sorted(unknown))} cannot be corrected.")
    now = clock.now()
    again = {"announced_at": None, "delivered_count": 0}
    if not _rows(sent).visible(now).update(**changes, **again):
        return False
    for name, value in {**changes, **again}.items():
        setattr(sent, name, value)
    outbox.announce_on_commit([sent])
    return True


# Others like it


def copy(broadcast: Notification, by: AbstractBaseUser | None = None) -> Broadcast:
    """Return a new draft that says the same, to the same audience."""
    now = clock.now()
    fields = {name: getattr(broadcast, name) for name in COPIED}
    if broadcast.expires_at and broadcast.expires_at <= now:
        fields["expires_at"] = None
    with transaction.atomic(using=_using()):
        draft = Broadcast.objects.using(_using()).create(
            **fields,
            audience=broadcast.audience,
            created_at=now,
            created_by_id=by.pk if by else None,
        )
        choose(draft, _chosen(broadcast).values_list(_user_field(), flat=True))
    return draft


def send_test(broadcast: Notification, user: AbstractBaseUser) -> Broadcast:
    """
    Show *broadcast* to *user* alone, now, marked as a test and counted nowhere.

    It goes the way that the real one would, and is gone a day later at the latest.
    """
    now = clock.now()
    fields = {name: getattr(broadcast, name) for name in COPIED}
    expiries = [now + TEST_LIFE]
    if broadcast.expires_at and broadcast.expires_at > now:
        expiries.append(broadcast.expires_at)
    fields |= {
        "title": _marked(broadcast.title),
        "translations": {
            language: _marked_texts(language, texts)
            for language, texts in broadcast.translations.items()
        },
        "expires_at": min(expiries),
    }
    with transaction.atomic(using=_using()):
        test = Broadcast.objects.using(_using()).create(
            **fields,
            audience=audiences.USERS,
            is_test=True,
            created_at=now,
            created_by_id=user.pk,
            publish_at=now,
        )
        choose(test, [user.pk])
        outbox.announce_on_commit([test])
    return test


def fingerprint(draft: Notification) -> str:
    """Return a short text that differs when what *draft* says, or to whom, does."""
    said = [getattr(draft, name) for name in (*CONTENT, *SHOWN, "audience")]
    chosen = sorted(map(str, _chosen(draft).values_list(_user_field(), flat=True)))
    text = json.dumps([said, chosen], default=str)
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


def choose(broadcast: Notification, pks: Collection[Any]) -> None:
    """Add users to the audience ``users`` of *broadcast*, by one INSERT per 1,000."""
    through = Notification.users.through
    rows = [
        through(notification_id=broadcast.pk, **{_user_field(): pk})
        for pk in dict.fromkeys(pks)
    ]
    through.objects.using(_using()).bulk_create(
        rows, batch_size=INSERT_SIZE, ignore_conflicts=True
    )


# What became of it


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many a broadcast reaches, and what they did; None is not measured."""

    audience: int
    """Users whom it reaches now."""
    delivered: int | None
    """Open streams that had it live: of browsers, not of users."""
    seen: int | None
    """Users of that audience who have opened the bell since."""
    read: int
    dismissed: int


def numbers(broadcast: Notification) -> Numbers:
    """Count what became of *broadcast*: as of now, and exactly."""
    users = reached(broadcast)
    pks = users.order_by().values("pk")
    seen = None
    # Of a banner nobody can tell: it is seen without the bell being opened.
    if broadcast.announced_at and broadcast.placement != Placement.BANNER:
        states = InboxState.objects.using(_using())
        states = states.filter(seen_until__gte=broadcast.announced_at)
        seen = states.filter(user__in=pks).count()
    receipts = Receipt.objects.using(_using()).filter(
        notification=broadcast.pk, user__in=pks
    )
    return Numbers(
        audience=users.count(),
        delivered=broadcast.delivered_count if broadcast.announced_at else None,
        seen=seen,
        read=receipts.exclude(read_at=None).count(),
        dismissed=receipts.exclude(archived_at=None).count(),
    )


def check_ending(
    dismissible: bool, expires_at: datetime | None, *, begins: datetime
) -> None:
    """
    Accept what ends, or can be put away.

    Raises:
        InvalidNotification: It would stay for good, or end before it *begins*, or
            one of these is too far away to be stored.
    """
    if not all(is_storable(moment) for moment in (begins, expires_at) if moment):
        raise InvalidNotification(gettext("This is too far in the future."))
    if not dismissible and expires_at is None:
        raise InvalidNotification(
            gettext(
                "It would stay for good: let it expire, let users put it away, or both."
            )
        )
    if expires_at is not None and expires_at <= begins:
        raise InvalidNotification(gettext("It would expire before it is shown."))


def _using() -> str:
    return router.db_for_write(Notification)


def _rows(broadcast: Notification) -> NotificationQuerySet:
    return Notification.objects.using(_using()).filter(pk=broadcast.pk)


def _scheduled(broadcast: Notification, now: datetime) -> NotificationQuerySet:
    # What is due is announced, by whichever process comes first.
    return _rows(broadcast).filter(announced_at=None, publish_at__gt=now)


def _chosen(broadcast: Notification) -> Any:
    through = Notification.users.through.objects.using(_using())
    return through.filter(notification=broadcast.pk)


def _user_field() -> str:
    return f"{Notification.users.field.m2m_reverse_field_name()}_id"


def _marked(title: str) -> str:
    marked = gettext("Test: %(title)s") % {"title": title}
    return marked[:TITLE_LENGTH]


def _marked_texts(language: str, texts: dict[str, str]) -> dict[str, str]:
    if not texts.get("title"):
        return texts
    with translation.override(language):
        return {**texts, "title": _marked(texts["title"])}
