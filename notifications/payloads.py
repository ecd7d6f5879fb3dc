"""A notification as JSON: the same on the stream and from the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from .conf import conf
from .constants import Level
from .events import NOTIFICATION, Cursor, Event, to_iso, to_microseconds
from .models import Notification

Payload = dict[str, Any]

# What an oversized event goes without; the inbox page has it all.
_SHED = ("data", "translations", "body")


def payload(notification: Notification) -> Payload:
    """
    Return what every reader of *notification* gets: JSON types only.

    Neither its id, nor when it was announced, nor whom it is for: hundreds of
    recipients share the rest, and an audience is nobody's business.
    """
    return {
        "title": notification.title,
        "body": notification.body,
        "url": notification.link,
        "level": int(notification.level),
        "level_name": _level_name(notification.level),
        "category": notification.category,
        "actor": notification.actor_text,
        "target": notification.target_text,
        "data": notification.data,
        "translations": notification.translations,
        "publish_at": _iso(notification.publish_at),
        "expires_at": _iso(notification.expires_at),
        "placement": str(notification.placement),
        "dismissible": notification.dismissible,
        "is_test": notification.is_test,
    }


def shed(payload: Payload) -> Payload:
    """
    Return *payload* as the bus carries it: of ``MAX_EVENT_BYTES``, as ``event()`` is.

    What no stream is given need not go through the channel layer, hundreds of
    times where a notification has thousands of recipients.
    """
    for less in _ever_less(payload):
        payload = less
        if len(json.dumps(payload)) <= conf.MAX_EVENT_BYTES:
            break
    return payload


def event(id: int, announced_us: int, payload: Payload) -> Event:
    """
    Return the event, at most ``MAX_EVENT_BYTES``.

    One that would be larger goes without data, translations and body, as far as
    needed, and with ``"truncated": true``.
    """
    cursor = Cursor(announced_us, id)
    for less in _ever_less({"id": id, "at": announced_us, **payload}):
        made = Event(NOTIFICATION, less, cursor)
        if len(made.encode()) <= conf.MAX_EVENT_BYTES:
            break
    return made


def item(notification: Notification) -> Payload:
    """Return *notification* as one user's inbox lists it."""
    announced_at = notification.announced_at
    return {
        "id": notification.pk,
        "at": announced_at and to_microseconds(announced_at),
        **payload(notification),
        "read": notification.is_read,
    }


def _ever_less(payload: Payload) -> Iterator[Payload]:
    yield payload
    for name in _SHED:
        payload = {**payload, name: type(payload[name])(), "truncated": True}
        yield payload


def _level_name(level: int) -> str:
    """Of the highest level that is not above it: rows may come from anywhere."""
    known = [one for one in Level if one <= level]
    return max(known, default=Level.INFO).name.lower()


def _iso(moment: datetime | None) -> str | None:
    return to_iso(moment) if moment else None
