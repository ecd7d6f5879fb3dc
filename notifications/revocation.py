"""
Who may go on listening.

Receivers that tell every process when a session ended or a user changed, and
the one question each then asks of its streams. A login ends none.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import (
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    user_logged_in,
    user_logged_out,
)
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import Group
from django.db import router, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.utils.crypto import constant_time_compare, salted_hmac

from .audiences import membership_changed
from .bus import bus


def connect() -> None:
    """Connect the receivers; called once the apps are ready."""
    user_model = get_user_model()
    user_logged_out.connect(_logged_out, dispatch_uid="live_notifications")
    user_logged_in.connect(_logged_in, dispatch_uid="live_notifications")
    for model in apps.get_models():
        # What saves a proxy, or a child, does not name its parent. Not for every
        # model: Django deletes slowly what somebody hears the deletion of.
        if issubclass(model, user_model):
            post_save.connect(_saved, model, dispatch_uid="live_notifications")
            post_delete.connect(_deleted, model, dispatch_uid="live_notifications")
        elif issubclass(model, Group):
            post_delete.connect(
                _group_deleted, model, dispatch_uid="live_notifications"
            )
    membership_changed.connect(_members_changed, dispatch_uid="live_notifications")
    if groups := getattr(user_model, "groups", None):
        m2m_changed.connect(
            _groups_changed, groups.through, dispatch_uid="live_notifications"
        )


def digest(session_key: str) -> str:
    """Return what stands for a session on the wire, where its key must not be."""
    return salted_hmac(
        "notifications.session", session_key, algorithm="sha256"
    ).hexdigest()


def page_key(user: AbstractBaseUser) -> str:
    """Return what stands for *user* in a page and in the name of its worker."""
    text = user._meta.pk.value_to_string(user)
    return salted_hmac("notifications.page", text, algorithm="sha256").hexdigest()[:16]


def authorise(pk: Any, session_key: str | None) -> AbstractBaseUser | None:
    """
    Return the user, as they are now, if the stream may go on; else None.

    They must exist, be active and, where the stream came with a session, that
    must still be theirs and valid for their password.
    """
    # Not from a replica: it may not have heard yet of what is asked about.
    users = get_user_model()._default_manager
    user = users.using(router.db_for_write(get_user_model())).filter(pk=pk).first()
    if user is None or not user.is_active:
        return None
    if session_key is not None and not _session_is_valid(user, session_key):
        return None
    return user


def _session_is_valid(user: AbstractBaseUser, session_key: str) -> bool:
    # Not auth.get_user(): it flushes or cycles the session, which only a
    # response with a cookie may do.
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    if session.get(SESSION_KEY) != user._meta.pk.value_to_string(user):
        return False
    given = session.get(HASH_SESSION_KEY, "")
    valid = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(given, one) for one in valid)


def _logged_out(request: Any, **kwargs: Any) -> None:
    session_key = getattr(getattr(request, "session", None), "session_key", None)
    if session_key:
        _end_session(session_key)


def _logged_in(request: Any, user: Any, **kwargs: Any) -> None:
    # Over somebody else: their session was flushed, and nobody says they left.
    # The user's own streams go on, though their session has another key now.
    before = getattr(request, "COOKIES", {}).get(settings.SESSION_COOKIE_NAME)
    if before:
        _end_session(before, but=str(user.pk))


def _end_session(session_key: str, **content: Any) -> None:
    """Have every process end the streams of the session, which is being flushed."""

    def send() -> None:
        bus.send("logout", session=digest(session_key), **content)

    send()
    # Under ATOMIC_REQUESTS the session is good for new streams until the commit.
    using = router.db_for_write(get_user_model())
    if transaction.get_connection(using).in_atomic_block:
        transaction.on_commit(send, using=using, robust=True)


def _saved(
    instance: Any, created: bool, update_fields: Any, using: str, **kwargs: Any
) -> None:
    # A login saves last_login; it must not disturb the user's other devices.
    if not created and set(update_fields or ["*"]) != {"last_login"}:
        _recheck([instance.pk], using)


def _deleted(instance: Any, using: str, **kwargs: Any) -> None:
    _recheck([instance.pk], using)


def _group_deleted(using: str, **kwargs: Any) -> None:
    _recheck(None, using)


def _groups_changed(
    instance: Any, action: str, reverse: bool, pk_set: Any, using: str, **kwargs: Any
) -> None:
    if not action.startswith("post_"):
        return
    _recheck(pk_set if reverse else [instance.pk], using)


def _members_changed(user_ids: list[Any], **kwargs: Any) -> None:
    _recheck(user_ids, router.db_for_write(get_user_model()))


def _recheck(pks: Any, using: str) -> None:
    """Have every process look again at these users' streams; at all if None."""
    users = None if pks is None else [str(pk) for pk in pks]
    transaction.on_commit(
        lambda: bus.send("recheck", users=users), using=using, robust=True
    )
