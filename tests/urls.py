"""A project's URLs, and some that let a test look into and use a live server."""

import gc
import json
import os
import threading
import time
from unittest import mock

from asgiref.sync import sync_to_async
from daphne.http_protocol import WebRequest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView

from notifications.api import anotify, notify
from notifications.bus import bus
from notifications.hub import hub
from notifications.signals import notification_announced
from notifications.stream import Stream

from . import useradmin  # noqa: F401 (registers it)
from .timing import Stopwatch


def users(request):
    """Read through the ORM, as any other page does."""
    return HttpResponse(get_user_model().objects.count())


async def process(request):
    """Return what this process holds and what its hub has counted."""
    return JsonResponse(
        {
            "pid": os.getpid(),
            "threads": threading.active_count(),
            "streams": hub.count(),
            # Whose they are, each as often as there are.
            "recipients": [stream.recipient for stream in hub._roster.all()],
            "healthy": bus.healthy,
            "live": hub.live,
            "swept": hub.swept,
            "announced": len(_announced),
        }
    )


# How many streams this process has had: ``[when, how many]``, for each change. The
# clock is that of all processes.
_counts = []


def _counted(change):
    """Return *change*, a method of the hub, that notes how many there are after it."""

    def changed(stream):
        change(stream)
        _counts.append((time.monotonic(), hub.count()))

    return changed


hub.register = _counted(hub.register)
hub.unregister = _counted(hub.unregister)


def counts(request):
    return JsonResponse(_counts, safe=False)


# What this process has put on the wire.
_announced = []


@receiver(notification_announced)
def _note(notifications, **kwargs):
    _announced.extend(row.pk for row in notifications)


def notify_everyone(request, title):
    """Notify all users, as a view under ATOMIC_REQUESTS does; say how long it took."""
    with Stopwatch() as watch, transaction.atomic():
        notify(get_user_model()._default_manager.all(), title)
    return _took(watch)


async def anotify_everyone(request, title):
    """
    See notify_everyone(); without a transaction of its own.

    The time is the caller's, in the event loop. What is taken off it is the time
    that the request's thread, in which anotify() does its work, had no processor:
    the loop may lack one for whatever else it serves, while that thread is kept.
    """
    worker = await sync_to_async(threading.get_native_id)()
    with Stopwatch(worker) as watch:
        await anotify(get_user_model()._default_manager.all(), title)
    return _took(watch)


def _took(watch):
    """Return the times of *watch*, and now by the clock that all processes share."""
    times = {"ms": watch.ms, "blocked_ms": watch.blocked_ms}
    return JsonResponse(times | {"returned_at": time.monotonic()})


# For the bus to be heard again after Redis was cut off: it retries every two.
WIRE_SECONDS = 8

BREAKABLE = {"start": "_load", "write": "_drain", "tick": "tick"}
_whole = {name: getattr(Stream, name) for name in BREAKABLE.values()}


def break_streams(request, where):
    """Have every stream of this process fail *where*; mend it all with ``mend``."""
    for name, method in _whole.items():
        setattr(Stream, name, method)
    if where != "mend":
        name = BREAKABLE[where]
        setattr(Stream, name, mock.Mock(side_effect=RuntimeError(f"broken: {where}")))
    return HttpResponse("ok")


def begin(request):
    """
    Be as new, for the next test: it emptied the database, and may have cut the wire.

    From now on what another process sends is heard, also before the first stream.
    """
    ContentType.objects.clear_cache()
    _said.clear()
    hub.listen()
    assert bus.wait_until_healthy(WIRE_SECONDS)
    return HttpResponse("ok")


# What the shared workers of browsers said: ``[type, text]``.
_said = []


@csrf_exempt
def said(request):
    """Take what a worker says, which no page shows; or return all of it."""
    if request.method == "POST":
        _said.append(json.loads(request.body))
    return JsonResponse(_said, safe=False)


def requests_held(request):
    """Return how many requests Daphne has not let go of."""
    gc.collect()
    count = sum(isinstance(one, WebRequest) for one in gc.get_objects())
    return JsonResponse({"count": count})


urlpatterns = [
    path("break/<str:where>/", break_streams),
    path("begin/", begin),
    path("requests/", requests_held),
    path("said/", said),
    path("", TemplateView.as_view(template_name="page.html"), name="page"),
    path("linked/<int:number>/", TemplateView.as_view(template_name="linked.html")),
    path("toasts/", TemplateView.as_view(template_name="toasts.html")),
    path("banner/", TemplateView.as_view(template_name="banner.html")),
    path("banners/", TemplateView.as_view(template_name="banners.html")),
    path("site/", TemplateView.as_view(template_name="site.html")),
    path("events/", TemplateView.as_view(template_name="events.html")),
    path("untitled/", TemplateView.as_view(template_name="untitled.html")),
    path("fragment/", TemplateView.as_view(template_name="fragment.html")),
    path("users/", users),
    path("process/", process),
    path("counts/", counts),
    path("notify/sync/<str:title>/", notify_everyone),
    path("notify/async/<str:title>/", anotify_everyone),
    path("admin/", admin.site.urls),
    path("notifications/", include("notifications.urls")),
]
