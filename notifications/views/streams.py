"""The stream: Server-Sent Events for whoever is signed in."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.decorators import login_not_required
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from notifications import gate
from notifications.events import Cursor
from notifications.exceptions import InvalidCursor
from notifications.hub import hub
from notifications.responses import EventStreamResponse
from notifications.stream import Stream

from .answers import forget_session, is_for, outside_transactions, refusal

RETRY_AFTER_SECONDS = 10


@csrf_exempt  # it takes GET alone; a POST is to hear that, not of a token
@login_not_required
@outside_transactions
@require_GET
async def stream(request: HttpRequest) -> HttpResponseBase:
    """
    Stream the signed-in user's notifications as Server-Sent Events.

    Resumes after the cursor in ``Last-Event-ID`` or, for a new EventSource,
    which cannot send that, in ``?cursor=``. 401 where nobody is signed in (a
    redirect would end an EventSource for good), 403 for other origins, 503
    where the process is full, 501 under WSGI.
    """
    if isinstance(request, WSGIRequest):
        return refusal(
            501,
            "Notifications stream over ASGI only: serve the site with Daphne or "
            "uvicorn and ASGI_APPLICATION. Until then pages poll.",
        )
    if not _same_origin(request):
        return refusal(403, "Streams are for pages of this site.")
    try:
        async with gate.passage():
            # Asked here: many may have waited since there was room.
            if hub.full:
                return _try_later("This process has as many streams as it may.")
            user = await request.auser()
    except gate.Crowded:
        return _try_later("Too many streams are starting at once.")
    if not user.is_authenticated:
        return refusal(401, "Sign in to receive notifications.")
    if not is_for(request, user):
        return refusal(401, "Somebody else is signed in now.")
    cursor, reset = _resume_point(request)
    session_key = None
    # That of somebody who came with a token does not say who they are.
    if hasattr(request, "session") and await request.session.aget(SESSION_KEY):
        session_key = request.session.session_key
    forget_session(request)
    body = Stream(user, cursor=cursor, reset=reset, session_key=session_key)
    response = EventStreamResponse(body)
    patch_vary_headers(response, ["Cookie"])
    return response


def _try_later(detail: str) -> HttpResponseBase:
    return refusal(503, detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def _same_origin(request: HttpRequest) -> bool:
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return False
    origin = request.headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.get_host()
    except ValueError:  # half an IPv6 address
        return False


def _resume_point(request: HttpRequest) -> tuple[Cursor | None, str]:
    text = request.headers.get("Last-Event-ID") or request.GET.get("cursor")
    if not text:
        return None, ""
    try:
        return Cursor.parse(text), ""
    except InvalidCursor:
        return None, "malformed"
