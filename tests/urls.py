"""A project's URLs, and two that let a test look into a live server."""

import gc
import os
import threading
from unittest import mock

from daphne.http_protocol import WebRequest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.views.generic import TemplateView

from notifications.bus import bus
from notifications.hub import hub
from notifications.stream import Stream


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
            "healthy": bus.healthy,
            "live": hub.live,
            "swept": hub.swept,
        }
    )


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


def requests_held(request):
    """Return how many requests Daphne has not let go of."""
    gc.collect()
    count = sum(isinstance(one, WebRequest) for one in gc.get_objects())
    return JsonResponse({"count": count})


urlpatterns = [
    path("break/<str:where>/", break_streams),
    path("requests/", requests_held),
    path("", TemplateView.as_view(template_name="page.html"), name="page"),
    path("users/", users),
    path("process/", process),
    path("admin/", admin.site.urls),
    path("notifications/", include("notifications.urls")),
]
