"""
The registry of audiences: named ways to say whom a broadcast reaches.

An audience is evaluated when somebody reads, never when an admin sends, so a
broadcast is one row however many it reaches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group
from django.core.exceptions import FieldDoesNotExist
from django.db import router
from django.db.models import QuerySet
from django.dispatch import Signal
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .exceptions import UnknownAudience

EVERYONE = "everyone"
STAFF = "staff"
USERS = "users"
GROUP_PREFIX = "group:"
GROUP_LENGTH = 20  # digits: more than any key has, and few enough to be read

Users = QuerySet[Any]

membership_changed = Signal()
"""Sent by changed(), with ``user_ids``; the bus takes it to every process."""


@dataclass(frozen=True, slots=True)
class Audience:
    """A key, a label for people, and the two questions an audience answers."""

    key: str
    label: str | Promise
    users: Callable[[], Users]
    """Everybody it reaches now: a queryset, so that it can be counted."""
    includes: Callable[[AbstractBaseUser], bool]
    """Whether it reaches this user now. Asked whenever a stream or page starts."""


_audiences: dict[str, Audience] = {}


def register(
    key: str,
    label: str | Promise,
    *,
    users: Callable[[], Users],
    includes: Callable[[AbstractBaseUser], bool] | None = None,
) -> Audience:
    """
    Make *key* an audience, typically in ``AppConfig.ready()``. Last one wins.

    Args:
        key: At most 100 characters, without a colon.
        label: What an admin reads.
        users: Returns a queryset of the users it reaches.
        includes: Whether it reaches one user; without it, one query per page
            and stream asks *users*. Tell ``changed()`` when an answer changes.

    Raises:
        ValueError: *key* is empty, too long, or holds a colon.
    """
    if not 0 < len(key) <= 100 or ":" in key:
        raise ValueError(
            f"{key!r} is no audience key: 1 to 100 characters without a colon."
        )

    def ask(user: AbstractBaseUser) -> bool:
        # Not of a replica, which may not have heard yet of what has just changed.
        written = router.db_for_write(type(user))
        return users().using(written).filter(pk=user.pk).exists()

    _audiences[key] = audience = Audience(key, label, users, includes or ask)
    return audience


def get(key: str) -> Audience:
    """
    Return the audience under *key*, which may be ``group:<pk>``.

    Raises:
        UnknownAudience: There is none; the message names those there are.
    """
    if audience := _audiences.get(key):
        return audience
    if key.startswith(GROUP_PREFIX):
        if group := _group(key.removeprefix(GROUP_PREFIX)):
            return _of_group(group)
        names = ", ".join(
            f"{GROUP_PREFIX}{pk} ({name})"
            for pk, name in Group.objects.order_by("name").values_list("pk", "name")
        )
        raise UnknownAudience(f"No group for {key!r}. There are: {names or 'none'}.")
    known = ", ".join([*sorted(_audiences), f"{GROUP_PREFIX}<pk>"])
    raise UnknownAudience(f"No audience {key!r}. Registered: {known}.")


def choices() -> list[tuple[str, str | Promise]]:
    """Return ``(key, label)`` of every audience there is now, groups last."""
    registered = [(audience.key, audience.label) for audience in _audiences.values()]
    groups = [
        (f"{GROUP_PREFIX}{group.pk}", _of_group(group).label)
        for group in Group.objects.order_by("name")
    ]
    return registered + groups


def keys_of(user: AbstractBaseUser) -> frozenset[str]:
    """
    Return the keys of the audiences that include *user* now.

    Without ``users``: whether a hand-picked list includes somebody depends on
    the broadcast, not on the user alone. One query for the groups, plus what
    the registered audiences ask.
    """
    keys = {
        key
        for key, audience in _audiences.items()
        if key != USERS and audience.includes(user)
    }
    if _is_active(user) and hasattr(user, "groups"):
        written = router.db_for_write(type(user))
        pks = user.groups.using(written).order_by().values_list("pk", flat=True)
        keys.update(f"{GROUP_PREFIX}{pk}" for pk in pks)
    return frozenset(keys)


def digest(keys: Iterable[str]) -> str:
    """Return a short text that differs when *keys* do, and tells none of them."""
    text = "\n".join(sorted(keys)).encode()
    return hashlib.blake2s(text, digest_size=8).hexdigest()


def changed(*users: AbstractBaseUser) -> None:
    """
    Tell open streams that the audiences of *users* may have changed.

    Group membership and ``save()`` of a user are noticed without it. After a
    ``QuerySet.update()``, or for a registered audience, call this: within 2 s
    their streams follow, from whichever process; otherwise within one stream
    life (``NOTIFICATIONS_STREAM_SECONDS``).
    """
    membership_changed.send(sender=None, user_ids=[user.pk for user in users])


def joined_at(user: AbstractBaseUser) -> datetime | None:
    """
    Return when *user* joined the site: broadcasts of before are in no inbox of theirs.

    None where their model does not say. One that keeps the day alone has it begin.
    """
    moment: date | None = getattr(user, "date_joined", None)
    if moment is None or isinstance(moment, datetime):
        return moment
    midnight = datetime.combine(moment, time.min)
    return timezone.make_aware(midnight) if settings.USE_TZ else midnight


def _group(pk: str) -> Group | None:
    is_key = pk.isdecimal() and len(pk) <= GROUP_LENGTH
    return Group.objects.filter(pk=pk).first() if is_key else None


def _of_group(group: Group) -> Audience:
    def users() -> Users:
        if not _has_field("groups"):
            return get_user_model()._default_manager.none()
        return active_users().filter(groups=group)

    def includes(user: AbstractBaseUser) -> bool:
        return users().filter(pk=user.pk).exists()

    label = _("Group “%(name)s”") % {"name": group.name}
    return Audience(f"{GROUP_PREFIX}{group.pk}", label, users, includes)


def _has_field(name: str) -> bool:
    try:
        get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def _is_active(user: AbstractBaseUser) -> bool:
    return bool(user.is_active)


def active_users() -> Users:
    """Return the users who can sign in."""
    users = get_user_model()._default_manager.all()
    return users.filter(is_active=True) if _has_field("is_active") else users


def _staff_users() -> Users:
    if not _has_field("is_staff"):
        return get_user_model()._default_manager.none()
    return active_users().filter(is_staff=True)


def _no_users() -> Users:
    return get_user_model()._default_manager.none()


register(EVERYONE, _("Everyone"), users=active_users, includes=_is_active)
register(
    STAFF,
    _("Staff"),
    users=_staff_users,
    includes=lambda user: _is_active(user) and getattr(user, "is_staff", False),
)
# A list chosen for one broadcast and kept beside it; see Notification.users.
register(USERS, _("Chosen users"), users=_no_users, includes=lambda user: False)
