"""System checks: what is wrong with a project's set-up, said at start-up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib import metadata
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.core.checks import CheckMessage, Error, Warning, register
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from . import bus
from .conf import PREFIX, Conf, conf

IN_MEMORY = "channels.layers.InMemoryChannelLayer"
CORE = "channels_redis.core.RedisChannelLayer"
# How long the core layer waits for a message in one command.
CORE_POLL_SECONDS = 5

TAG = "notifications"


@register(TAG)
def check_channel_layer(**kwargs: Any) -> Iterator[CheckMessage]:
    alias = conf.CHANNEL_LAYER
    layers = getattr(settings, "CHANNEL_LAYERS", {})
    if alias not in layers:
        yield Warning(
            f"CHANNEL_LAYERS has no {alias!r} entry, so notifications arrive by the "
            f"sweep only, within {conf.POLL_SECONDS:g} seconds.",
            hint="Add one, or point NOTIFICATIONS_CHANNEL_LAYER at an existing alias.",
            id="notifications.W001",
        )
        return
    backend = layers[alias].get("BACKEND")
    if backend == IN_MEMORY and not settings.DEBUG:
        yield Warning(
            f"CHANNEL_LAYERS[{alias!r}] is in memory: it joins no two processes, "
            "and DEBUG is off.",
            hint="Use channels_redis.pubsub.RedisPubSubChannelLayer.",
            id="notifications.W002",
        )
    hosts = layers[alias].get("CONFIG", {}).get("hosts", ())
    if backend == CORE and not _waits_long_enough(hosts):
        yield Warning(
            f"CHANNEL_LAYERS[{alias!r}] has hosts whose socket_timeout is not above "
            f"the {CORE_POLL_SECONDS} seconds that {CORE} waits for a message; "
            "redis-py 8 breaks its connection whenever nothing happens.",
            hint='Write the host as {"address": "redis://…", "socket_timeout": 15}, '
            "or use channels_redis.pubsub.RedisPubSubChannelLayer.",
            id="notifications.W003",
        )


def _waits_long_enough(hosts: Iterable[Any]) -> bool:
    """Whether no host falls back on redis-py 8's default of 5 seconds."""
    if int(metadata.version("redis").partition(".")[0]) < 8:
        return True
    waits = [
        host.get("socket_timeout", CORE_POLL_SECONDS) if isinstance(host, dict) else 5
        for host in hosts or [None]
    ]
    return all(wait is None or wait > CORE_POLL_SECONDS for wait in waits)


@register(TAG)
def check_setting_names(**kwargs: Any) -> Iterator[CheckMessage]:
    known = Conf.all()
    for name in dir(settings):
        if name.startswith(PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1)
            yield Warning(
                f"{name} is not a setting of this app.",
                hint=f"Did you mean {close[0]}?" if close else None,
                id="notifications.W004",
            )


@register(TAG)
def check_setting_values(**kwargs: Any) -> Iterator[CheckMessage]:
    bad = False
    for name, setting in Conf.all().items():
        value = getattr(settings, name, setting.default)
        if message := _fault(value, setting.default):
            bad = True
            yield Error(
                f"{name} is {value!r}; {message}.",
                hint=f"{setting.doc} The default is {setting.default!r}.",
                id="notifications.E001",
            )
    if conf.BADGE_COUNTS not in {"unseen", "unread"}:
        yield Error(
            f'{PREFIX}BADGE_COUNTS is {conf.BADGE_COUNTS!r}; it is "unseen" or '
            '"unread".',
            id="notifications.E001",
        )
    needed = 0 if bad else 2.4 * conf.POLL_SECONDS + 5
    if not bad and needed > conf.OVERLAP_SECONDS:
        yield Error(
            f"{PREFIX}OVERLAP_SECONDS is {conf.OVERLAP_SECONDS:g}; with "
            f"{PREFIX}POLL_SECONDS = {conf.POLL_SECONDS:g} a notification could "
            "fall between two sweeps.",
            hint=f"Make it at least {needed:g} (2.4 * POLL_SECONDS + 5).",
            id="notifications.E002",
        )


def _fault(value: Any, default: Any) -> str:
    if isinstance(default, str):
        return "" if isinstance(value, str) else "it has to be text"
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return f"it has to be a {'whole ' if whole else ''}number"
    return "" if value > 0 else "it has to be above 0"


@register(TAG)
def check_installed(**kwargs: Any) -> Iterator[CheckMessage]:
    """Users without auth cannot be imported at all; Django says so itself."""
    if not apps.is_installed("django.contrib.sessions"):
        yield Warning(
            "django.contrib.sessions is not installed, so a logout cannot end the "
            "streams of its session.",
            hint="Add 'django.contrib.sessions' to INSTALLED_APPS and its middleware.",
            id="notifications.W005",
        )
    middleware = map(import_string, settings.MIDDLEWARE)
    if not any(_authenticates(one) for one in middleware):
        yield Warning(
            "No AuthenticationMiddleware is in MIDDLEWARE, so every visitor is "
            "anonymous and every stream is refused.",
            hint="Add 'django.contrib.auth.middleware.AuthenticationMiddleware', or "
            "silence this if a middleware of your own sets request.auser.",
            id="notifications.W007",
        )


def _authenticates(middleware: Any) -> bool:
    return isinstance(middleware, type) and issubclass(
        middleware, AuthenticationMiddleware
    )


@register(TAG)
def check_urls(**kwargs: Any) -> Iterator[CheckMessage]:
    try:
        reverse("notifications:inbox")
    except NoReverseMatch:
        yield Error(
            "No URL leads to the inbox, the stream and the rest: the app's URLs are "
            "not included.",
            hint='Add path("notifications/", include("notifications.urls")) to '
            f"{settings.ROOT_URLCONF}.",
            id="notifications.E003",
        )


@register(TAG)
def check_threads(**kwargs: Any) -> Iterator[CheckMessage]:
    if bus.greenlets():
        yield Warning(
            "gevent or eventlet has replaced threads, so this process puts nothing on "
            "the channel layer; what it stores waits for another process's sweep.",
            hint="Serve streams with Daphne or uvicorn, unpatched.",
            id="notifications.W006",
        )
