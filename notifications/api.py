"""What projects call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group
from django.db import router, transaction
from django.db.models import QuerySet

from . import audiences, outbox
from .broadcasts import check_ending, choose
from .bus import bus
from .conf import conf
from .constants import BATCH_SIZE, INSERT_SIZE, Placement
from .content import Content, clean
from .events import Event, check_name
from .exceptions import InvalidEvent, InvalidNotification
from .models import Notification

__all__ = (
    "abroadcast",
    "anotify",
    "asend_event",
    "broadcast",
    "notify",
    "send_event",
)

User = AbstractBaseUser
Recipients = User | Group | Iterable[User]


def notify(
    recipients: Recipients,
    title: str,
    *,
    exclude: Recipients | None = None,
    **content: Unpack[Content],
) -> list[Notification]:
    """
    Tell *recipients* something now, and keep it until they have dealt with it.

    The rows join the caller's transaction; they become visible when it commits,
    so a rolled-back notification is never seen. Live delivery never delays or
    breaks the caller: if the bus is down, streams catch up within
    ``NOTIFICATIONS_POLL_SECONDS`` + 2 s.

    Args:
        recipients: A saved user, or an iterable, queryset or Group of them; each
            is told once. One INSERT per 1,000 on PostgreSQL, no query per user.
        title: Plain text, at most 200 characters.
        exclude: Recipients to leave out, such as who caused it.
        body: Plain text. Above ``NOTIFICATIONS_MAX_EVENT_BYTES`` it is kept,
            but shown in the inbox only.
        url: Where a click leads: a path on this site or an absolute http(s) URL,
            at most 2,000 characters.
        level: A ``notifications.constants.Level``, as in ``contrib.messages``.
        category: A slug that ``notifications.categories`` knows.
        actor: The saved user who did it.
        target: The saved object it is about. Its text is kept beside it.
        data: A dict of JSON values, for the project's own scripts.
        translations: ``{language: {"title": ..., "body": ...}}``; each reader
            sees their language where it is there.
        dedupe_key: A second call with the same key for the same recipient
            stores nothing, so a producer may retry. At most 100 characters.
        publish_at: When to show it; now if omitted. Aware.
        expires_at: When to stop showing it; never if omitted. Aware, until 9998.

    Returns:
        The stored notifications, in the order of *recipients*; with a
        *dedupe_key* those stored earlier in their place.

    Raises:
        InvalidNotification: Something cannot be stored; nothing was. It is a
            ValueError.
        UnknownCategory: The category is not registered.
    """
    pks = _pks(recipients)
    if exclude is not None:
        out = set(_pks(exclude))
        pks = [pk for pk in pks if pk not in out]
    fields = clean(title, content)
    return _store([Notification(recipient_id=pk, **fields) for pk in pks])


async def anotify(
    recipients: Recipients,
    title: str,
    *,
    exclude: Recipients | None = None,
    **content: Unpack[Content],
) -> list[Notification]:
    """See notify()."""
    return await sync_to_async(notify)(recipients, title, exclude=exclude, **content)


def broadcast(
    title: str,
    *,
    audience: str = audiences.EVERYONE,
    users: Recipients | None = None,
    placement: str = Placement.TOAST,
    dismissible: bool = True,
    created_by: User | None = None,
    **content: Unpack[Content],
) -> Notification:
    """
    Tell a whole *audience* something: one row, however many it reaches.

    Who belongs is asked whenever somebody reads, so those who join later see it
    too, and those who leave no longer do. Users do not see what was published
    before they joined the site (``date_joined``), banners excepted.

    Args:
        audience: The key of a registered audience: ``everyone``, ``staff``,
            ``group:<pk>``, ``users`` or a project's own.
        users: Whom the audience ``users`` reaches: a list chosen for this one.
        placement: A ``notifications.constants.Placement``.
        dismissible: Whether users may put it away; if not, it has to expire.
        created_by: The admin who wrote it.

    The rest, what it returns and what it promises are as with notify().

    Raises:
        UnknownAudience: No such audience; the message names those there are.
        InvalidNotification: As with notify(), or *users* does not fit *audience*,
            or it would never go away.
    """
    audiences.get(audience)
    if (audience == audiences.USERS) != (users is not None):
        raise InvalidNotification(
            f"The audience is {audience!r} and users is {users!r}: the audience "
            f"{audiences.USERS!r} needs users, any other takes none."
        )
    fields = clean(title, content) | {
        "audience": audience,
        "placement": _placement(placement),
        "dismissible": dismissible,
        "created_by": created_by,
        "published_by": created_by,
    }
    check_ending(dismissible, fields["expires_at"], begins=fields["publish_at"])
    with transaction.atomic(using=router.db_for_write(Notification)):
        [row] = _store([Notification(**fields)])
        # One that was stored under the same key earlier has its list already.
        if users is not None and row.created_at == fields["created_at"]:
            choose(row, _pks(users))
    return row


async def abroadcast(title: str, **kwargs: Any) -> Notification:
    """See broadcast()."""
    return await sync_to_async(broadcast)(title, **kwargs)


def send_event(
    to: Recipients | str, name: str, data: Mapping[str, Any] | None = None
) -> None:
    """
    Send an event of the project's own to whoever listens now.

    At most once, now rather than after commit, and stored nowhere: for progress,
    logs and tokens. Who is not connected does not get it.

    Args:
        to: A user, users, a Group, or the key of an audience.
        name: ``[a-z][a-z0-9_.-]{0,63}``, none of the app's or the browser's own.
        data: A dict of JSON values, at most ``NOTIFICATIONS_MAX_EVENT_BYTES``
            when encoded.

    Raises:
        InvalidEvent: The name or the data will not do. It is a ValueError.
        UnknownAudience: No such audience.
    """
    check_name(name)
    if data is not None and not isinstance(data, Mapping):
        raise InvalidEvent(
            f"data is a {type(data).__name__}; give a dict of JSON values."
        )
    body = Event(name, dict(data or {})).body()
    if len(body) > conf.MAX_EVENT_BYTES:
        raise InvalidEvent(
            f"{name!r} would be {len(body)} bytes; NOTIFICATIONS_MAX_EVENT_BYTES "
            f"allows {conf.MAX_EVENT_BYTES}. Send less, or a link to it."
        )
    text = body.decode("ascii")
    if isinstance(to, str):
        audiences.get(to)
        bus.send("event", to=[], audience=to, body=text)
        return
    pks = [str(pk) for pk in _pks(to)]
    for start in range(0, len(pks), BATCH_SIZE):
        bus.send("event", to=pks[start : start + BATCH_SIZE], audience="", body=text)


async def asend_event(
    to: Recipients | str, name: str, data: Mapping[str, Any] | None = None
) -> None:
    """See send_event()."""
    await sync_to_async(send_event)(to, name, data)


def _placement(value: str) -> Placement:
    try:
        return Placement(value)
    except ValueError:
        raise InvalidNotification(
            f"placement is {value!r}; it may be {', '.join(Placement)}."
        ) from None


def _pks(recipients: Recipients) -> list[Any]:
    """Return the primary keys, each once, in order."""
    if isinstance(recipients, str):
        raise InvalidNotification(
            f"recipients is the text {recipients!r}; give users, or call "
            "broadcast() for an audience."
        )
    if isinstance(recipients, Group):
        recipients = audiences.get(f"{audiences.GROUP_PREFIX}{recipients.pk}").users()
    if isinstance(recipients, QuerySet):
        if not issubclass(recipients.model, get_user_model()):
            raise InvalidNotification(
                f"recipients is a queryset of {recipients.model.__name__}, not of "
                f"{get_user_model().__name__}."
            )
        return list(dict.fromkeys(recipients.values_list("pk", flat=True)))
    # Users first: request.user is lazy, and looks iterable whatever it stands for.
    if _is_user(recipients) or not isinstance(recipients, Iterable):
        return [_pk(recipients)]
    return list(dict.fromkeys(_pk(user) for user in recipients))


def _is_user(value: Any) -> bool:
    return isinstance(value, User) or hasattr(value, "is_authenticated")


def _pk(user: Any) -> Any:
    if not _is_user(user):
        raise InvalidNotification(f"{user!r} is not a user.")
    # Not by the key alone: a UUID is there before the row is.
    if user.pk is None or user._state.adding:
        raise InvalidNotification(
            f"The recipient {user!r} is not saved, so nothing can be kept for them."
        )
    return user.pk


def _store(rows: list[Notification]) -> list[Notification]:
    if not rows:
        return []
    key = rows[0].dedupe_key
    with transaction.atomic(using=router.db_for_write(Notification)):
        Notification.objects.bulk_create(
            rows, batch_size=INSERT_SIZE, ignore_conflicts=key is not None
        )
        if key is not None:
            rows = _stored_under(key, rows)
        outbox.announce_on_commit(rows)
    return rows


def _stored_under(key: str, rows: list[Notification]) -> list[Notification]:
    """Return what the table holds for *rows*, whoever inserted it."""
    stored = Notification.objects.using(router.db_for_write(Notification))
    stored = stored.filter(dedupe_key=key)
    if rows[0].is_broadcast:
        return list(stored.filter(recipient=None, audience=rows[0].audience))
    found = {}
    for start in range(0, len(rows), INSERT_SIZE):
        pks = [row.recipient_id for row in rows[start : start + INSERT_SIZE]]
        for row in stored.filter(recipient__in=pks):
            found[row.recipient_id] = row
    return [found[row.recipient_id] for row in rows if row.recipient_id in found]
