"""
The pages and endpoints under ``include("notifications.urls")``.

Nothing changes on GET, every change is bound to the signed-in user, nothing may
be cached. An id of somebody else's is 404, like one that never was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from typing import TypeVar, cast
from urllib.parse import urlsplit

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_not_required, login_required
from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template import TemplateDoesNotExist, loader
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from . import clock, gate
from .events import Cursor
from .exceptions import InvalidCursor
from .health import examine
from .hub import hub
from .inbox import Inbox
from .payloads import item
from .responses import EventStreamResponse
from .stream import Stream

PAGE_SIZE = 20
LARGEST_PAGE = 100
MOST_IDS = 500
LARGEST_ID = 2**63 - 1
RETRY_AFTER_SECONDS = 10

Response = TypeVar("Response", bound=HttpResponseBase)
View = Callable[[HttpRequest], HttpResponseBase]


class BadRequest(Exception):
    """Something in the request cannot be understood; the text says what."""


def private(response: Response) -> Response:
    """Forbid every cache to keep or change *response*."""
    response.headers["Cache-Control"] = "private, no-store, no-transform"
    patch_vary_headers(response, ["Cookie"])
    return response


def refusal(
    status: int, detail: str, headers: dict[str, str] | None = None
) -> JsonResponse:
    return private(JsonResponse({"detail": detail}, status=status, headers=headers))


def _user(request: HttpRequest) -> AbstractBaseUser:
    # Endpoints refuse anonymous visitors.
    return cast(AbstractBaseUser, request.user)


# The stream


@csrf_exempt  # it takes GET alone; a POST is to hear that, not of a token
@login_not_required
@transaction.non_atomic_requests
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
    if hub.full:
        return _try_later("This process has as many streams as it may.")
    try:
        async with gate.passage():
            user = await request.auser()
    except gate.Crowded:
        return _try_later("Too many streams are starting at once.")
    if not user.is_authenticated:
        return refusal(401, "Sign in to receive notifications.")
    cursor, reset = _resume_point(request)
    session_key = request.session.session_key
    # A reconnect every few minutes must not renew a session that would time
    # out: with SESSION_SAVE_EVERY_REQUEST the middleware would save it.
    del request.session
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
    return origin is None or urlsplit(origin).netloc == request.get_host()


def _resume_point(request: HttpRequest) -> tuple[Cursor | None, str]:
    text = request.headers.get("Last-Event-ID") or request.GET.get("cursor")
    if not text:
        return None, ""
    try:
        return Cursor.parse(text), ""
    except InvalidCursor:
        return None, "malformed"


# The page


@login_required
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """Show the inbox: complete without JavaScript, live with it."""
    cursor = Cursor.at(clock.now())  # before the queries: see notification_bell
    mine = Inbox(_user(request))
    unread_only = bool(request.GET.get("unread"))
    try:
        page = mine.page(PAGE_SIZE, _before(request), unread=unread_only)
    except BadRequest:
        return HttpResponseRedirect(request.path)
    context = {
        "base_template": _base_template(),
        "page": page,
        "counts": mine.counts(),
        "cursor": cursor,
        "unread_only": unread_only,
    }
    return private(render(request, "notifications/inbox.html", context))


def _base_template() -> str:
    """The site's own ``base.html``, or the app's where there is none."""
    try:
        loader.get_template("base.html")
    except TemplateDoesNotExist:
        return "notifications/base.html"
    return "base.html"


# Monitoring


@login_not_required
@require_GET
def health(request: HttpRequest) -> HttpResponse:
    """
    Say whether this process does its work: 200 and ``ok``, 503 and ``degraded``.

    ``{"status", "database", "bus", "streams"}``; all but ``status`` for staff
    only. For monitoring rather than a load balancer: with Redis down every
    process is degraded, and all of them still deliver, within
    ``NOTIFICATIONS_POLL_SECONDS`` + 2 s.
    """
    found = examine()
    content: dict[str, object] = {"status": "ok" if found.ok else "degraded"}
    # Without a database nobody can be told from a stranger.
    if found.database and getattr(request.user, "is_staff", False):
        content |= asdict(found)
    return private(JsonResponse(content, status=200 if found.ok else 503))


# The API


def endpoint(view: View) -> View:
    """Answer 401 rather than redirect, and 400 to what cannot be understood."""

    @login_not_required
    @wraps(view)
    def wrapper(request: HttpRequest) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return refusal(401, "Sign in to see notifications.")
        try:
            return private(view(request))
        except BadRequest as error:
            return refusal(400, str(error))

    return wrapper


@require_GET
@endpoint
def list_notifications(request: HttpRequest) -> HttpResponseBase:
    """
    Return a page of the inbox, newest first.

    ``{"notifications": [...], "next": <before> or null, "cursor"}``. Takes
    ``before``, ``unread=1`` and ``limit``, at most 100.
    """
    cursor = Cursor.at(clock.now())
    limit = request.GET.get("limit", str(PAGE_SIZE))
    if not re.fullmatch("[0-9]{1,3}", limit) or not 0 < int(limit) <= LARGEST_PAGE:
        raise BadRequest(f"limit is {limit[:40]!r}; it may be 1 to {LARGEST_PAGE}.")
    page = Inbox(_user(request)).page(
        int(limit), _before(request), unread=bool(request.GET.get("unread"))
    )
    return JsonResponse(
        {
            "notifications": [item(row) for row in page.items],
            "next": page.next and str(page.next),
            "cursor": str(cursor),
        }
    )


@require_GET
@endpoint
def state(request: HttpRequest) -> HttpResponseBase:
    """Return the counts, and the state of the ids in ``shown=1,2,3``."""
    cursor = Cursor.at(clock.now())
    shown = request.GET.get("shown", "")
    ids = _parse_ids(shown.split(",")) if shown else []
    return JsonResponse({**Inbox(_user(request)).state(ids), "cursor": str(cursor)})


@require_POST
@endpoint
def seen(request: HttpRequest) -> HttpResponseBase:
    """Note that the bell was opened on what there was ``upto`` a cursor."""
    mine = Inbox(_user(request))
    mine.mark_seen(_upto(request))
    return _changed(request, mine)


@require_POST
@endpoint
def read(request: HttpRequest) -> HttpResponseBase:
    """Mark ``id`` (repeatable) read; or ``all=1``, best with ``upto``."""
    mine = Inbox(_user(request))
    if request.POST.get("all"):
        mine.mark_all_read(_upto(request))
        return _changed(request, mine)
    return _change(request, mine, mine.mark_read)


@require_POST
@endpoint
def unread(request: HttpRequest) -> HttpResponseBase:
    """Mark ``id`` (repeatable) unread."""
    mine = Inbox(_user(request))
    return _change(request, mine, mine.mark_unread)


@require_POST
@endpoint
def archived(request: HttpRequest) -> HttpResponseBase:
    """Put ``id`` (repeatable) away."""
    mine = Inbox(_user(request))
    return _change(request, mine, mine.archive)


def _change(
    request: HttpRequest, mine: Inbox, mark: Callable[[list[int]], int]
) -> HttpResponseBase:
    ids = _parse_ids(request.POST.getlist("id"))
    if not ids:
        raise BadRequest("No id was given; send id=<number>, repeatable.")
    if not mine.knows(ids):
        return refusal(404, "There is no such notification.")
    mark(ids)
    return _changed(request, mine, ids)


def _changed(
    request: HttpRequest, mine: Inbox, ids: list[int] | None = None
) -> HttpResponseBase:
    """Answer a script with the new state, and a form with the way back."""
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(mine.state(ids or []))
    following = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        following, {request.get_host()}, require_https=request.is_secure()
    ):
        following = reverse("notifications:inbox")
    return HttpResponseRedirect(following, status=303)


def _parse_ids(texts: list[str]) -> list[int]:
    if len(texts) > MOST_IDS:
        raise BadRequest(f"{len(texts)} ids were given; at most {MOST_IDS} will do.")
    ids = []
    for text in texts:
        if not re.fullmatch("[0-9]{1,19}", text):
            raise BadRequest(f"{text[:40]!r} is not an id.")
        ids.append(min(int(text), LARGEST_ID))
    return ids


def _before(request: HttpRequest) -> Cursor | None:
    return _cursor("before", request.GET.get("before", ""))


def _upto(request: HttpRequest) -> Cursor | None:
    return _cursor("upto", request.POST.get("upto", ""))


def _cursor(name: str, text: str) -> Cursor | None:
    try:
        return Cursor.parse(text) if text else None
    except InvalidCursor:
        raise BadRequest(f"{name} is {text[:60]!r}, which is no cursor.") from None
