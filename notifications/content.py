"""What a notification says, checked before anything is stored."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, TypedDict

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils import timezone
from django.utils.functional import Promise

from . import categories, clock
from .constants import KEY_LENGTH, TITLE_LENGTH, URL_LENGTH, Level
from .events import is_storable
from .exceptions import InvalidNotification
from .links import is_safe


class Content(TypedDict, total=False):
    """The keyword arguments that notify() and broadcast() share."""

    body: str
    url: str
    level: int
    category: str
    actor: AbstractBaseUser | None
    target: Model | None
    data: dict[str, Any] | None
    translations: dict[str, dict[str, str]] | None
    dedupe_key: str | None
    publish_at: datetime | None
    expires_at: datetime | None


def clean(title: str, content: Content) -> dict[str, Any]:
    """
    Return the fields of a ``Notification`` that say *title* and *content*.

    Lazy translations become text. ``publish_at`` is the database's time where
    none is given.

    Raises:
        InvalidNotification: Something cannot be stored or shown; the message
            says what was found and what would do.
        UnknownCategory: The category is not registered.
        TypeError: *content* has a key that is none of ``Content``.
    """
    # At run time ``**content: Unpack[Content]`` takes any keyword.
    if unknown := sorted(content.keys() - Content.__annotations__.keys()):
        raise TypeError(
            f"{unknown[0]!r} is an unexpected keyword argument. There are: "
            f"{', '.join(Content.__annotations__)}."
        )
    now = clock.now()
    category = content.get("category", categories.GENERAL)
    fields: dict[str, Any] = {
        "title": _text("title", title, TITLE_LENGTH),
        "body": _storable("body", content.get("body", "")),
        "url": _url(content.get("url", "")),
        "level": _level(content.get("level", Level.INFO)),
        "category": categories.get(category).slug,
        "data": _json("data", content.get("data")),
        "translations": _translations(content.get("translations")),
        "created_at": now,
        "publish_at": _moment("publish_at", content.get("publish_at")) or now,
        "expires_at": _moment("expires_at", content.get("expires_at")),
        "dedupe_key": None,
    }
    if (key := content.get("dedupe_key")) is not None:
        fields["dedupe_key"] = _text("dedupe_key", key, KEY_LENGTH)
    if fields["expires_at"] and fields["expires_at"] <= fields["publish_at"]:
        raise InvalidNotification(
            f"expires_at ({fields['expires_at']}) must be later than publish_at "
            f"({fields['publish_at']})."
        )
    if actor := content.get("actor"):
        _saved("actor", actor, get_user_model(), "user")
        fields |= {"actor": actor, "actor_text": str(actor)[:TITLE_LENGTH]}
    if target := content.get("target"):
        _saved("target", target, Model, "object of the database")
        fields |= {
            "target_type": ContentType.objects.get_for_model(target),
            "target_id": str(target.pk),
            "target_text": str(target)[:TITLE_LENGTH],
        }
    return fields


def _storable(name: str, value: Any) -> str:
    if not isinstance(value, (str, Promise)):
        raise InvalidNotification(f"{name} is {value!r}; give text.")
    text = str(value)
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidNotification(
            f"{name} holds a NUL character or half a surrogate pair, which no "
            f"database stores: {text[:40]!r}."
        )
    return text


def _text(name: str, value: Any, limit: int) -> str:
    text = _storable(name, value)
    if not text.strip():
        raise InvalidNotification(f"{name} is empty.")
    if len(text) > limit:
        raise InvalidNotification(
            f"{name} has {len(text)} characters; at most {limit} fit. It begins "
            f"{text[:40]!r}."
        )
    return text


def _url(value: Any) -> str:
    url = _storable("url", value)
    if url and not is_safe(url):
        raise InvalidNotification(
            f"url is {url[:100]!r}; give a path on this site, beginning with one "
            "'/', or an absolute http(s) URL."
        )
    if len(url) > URL_LENGTH:
        raise InvalidNotification(
            f"url has {len(url)} characters; at most {URL_LENGTH} fit."
        )
    return url


def _level(value: Any) -> Level:
    try:
        return Level(value)
    except ValueError:
        known = ", ".join(f"Level.{level.name} ({level})" for level in Level)
        raise InvalidNotification(f"level is {value!r}; it may be {known}.") from None


def _json(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidNotification(
            f"{name} is a {type(value).__name__}; give a dict of JSON values."
        )
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidNotification(f"{name} cannot be JSON: {error}") from error
    _storable(name, text.replace("\\u0000", "\x00"))
    return value


def _translations(value: Any) -> dict[str, dict[str, str]]:
    translations = _json("translations", value)
    for language, texts in translations.items():
        if not isinstance(texts, dict) or not texts.keys() <= {"title", "body"}:
            raise InvalidNotification(
                f"translations[{language!r}] is {texts!r}; give a dict with "
                '"title" and "body".'
            )
        for name, text in texts.items():
            _storable(f"translations[{language!r}][{name!r}]", text)
        if "title" in texts:
            _text(f"translations[{language!r}]['title']", texts["title"], TITLE_LENGTH)
        if "body" in texts:
            _storable(f"translations[{language!r}]['body']", texts["body"])
    return translations


def _moment(name: str, value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise InvalidNotification(f"{name} is {value!r}; give a datetime.")
    if settings.USE_TZ and timezone.is_naive(value):
        raise InvalidNotification(
            f"{name} is {value!r}, which has no time zone; "
            "pass it through django.utils.timezone.make_aware()."
        )
    if not settings.USE_TZ and timezone.is_aware(value):
        raise InvalidNotification(
            f"{name} is {value!r}, which has a time zone, while USE_TZ is off; "
            "pass it through django.utils.timezone.make_naive()."
        )
    if not is_storable(value):
        raise InvalidNotification(
            f"{name} is {value!r}; give a moment from 1970 to 9998, or None."
        )
    return value


def _saved(name: str, instance: Any, model: type[Model], kind: str) -> None:
    if not isinstance(instance, model):
        raise InvalidNotification(f"{name} is {instance!r}; give a saved {kind}.")
    # Not by the key: a UUID is there before the row is.
    if instance.pk is None or instance._state.adding:
        raise InvalidNotification(f"{name} is {instance!r}, which is not saved yet.")
