"""People and their sessions, for any user model."""

from datetime import timedelta

from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import FieldDoesNotExist
from django.utils import timezone

from notifications.constants import Level
from notifications.inbox import Inbox
from notifications.models import Notification


def has_field(name):
    try:
        get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def make_user(name, **fields):
    """Return a saved user called *name*; fields their model lacks are left out."""
    model = get_user_model()
    names = {"username": name, "email": f"{name}@example.com"}
    wanted = {key: value for key, value in (names | fields).items() if has_field(key)}
    return model.objects.create_user(**wanted)


def make_users(count, prefix="user"):
    """Return *count* saved users, by one INSERT per thousand."""
    model = get_user_model()
    unsaved = []
    for number in range(count):
        names = {
            "username": f"{prefix}{number}",
            "email": f"{prefix}{number}@example.com",
        }
        unsaved.append(
            model(**{key: value for key, value in names.items() if has_field(key)})
        )
    return model.objects.bulk_create(unsaved, batch_size=1000)


def log_in(user):
    """Return the cookies of a new session of *user*, as a login would leave them."""
    session = SessionStore()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return {"sessionid": session.session_key}


def make_notifications(to, count):
    """Store *count* rows for a user by few INSERTs: ``Number 0`` is the oldest."""
    now = timezone.now()
    moments = [now - timedelta(seconds=count - number) for number in range(count)]
    Notification.objects.bulk_create(
        [
            Notification(
                recipient=to, title=f"Number {number}", publish_at=at, announced_at=at
            )
            for number, at in enumerate(moments)
        ]
    )


def make_notification(to, title="Hello", *, age=timedelta(), **fields):
    """
    Return a stored row for a user or for an audience's key, published *age* ago.

    Announced too, without a wire, unless *announced_at* says otherwise.
    """
    moment = timezone.now() - age
    times = {"publish_at": moment, "announced_at": moment, "created_at": moment}
    address = {"audience": to} if isinstance(to, str) else {"recipient": to}
    return Notification.objects.create(**address, title=title, **(times | fields))


def make_all_kinds(user, count):
    """Give *user* notifications of all levels, read and not, short and long."""
    for number in range(count):
        row = make_notification(
            user,
            f"Number {number}" + " and its very long title" * (number % 5),
            body="It goes on. " * (number % 4 * 8),
            level=[*Level][number % len(Level)],
            url="/users/" if number % 2 else "",
            actor_text="Bob" if number % 3 else "",
            age=timedelta(hours=7 * number),
        )
        if number % 3 == 0:
            Inbox(user).mark_read([row.pk])
