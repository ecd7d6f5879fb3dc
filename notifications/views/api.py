"""The endpoints that the page's scripts, and others, ask: JSON, and form posts."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from notifications import clock, outbox
from notifications.events import Cursor
from notifications.inbox import Inbox
from notifications.models import Notification
from notifications.payloads import item

from .answers import (
    BadRequest,
    forget_session,
    is_for,
    outside_transactions,
    parse_cursor,
    parse_filter,
    private,
    refusal,
    signed_in,
)

PAGE_SIZE = 20
LARGEST_PAGE = 100
MOST_IDS = 500
LARGEST_ID = 2**63 - 1

View = Callable[[HttpRequest], HttpResponseBase]


def endpoint(view: View) -> View:
    """Answer 401 rather than redirect, and 400 to what cannot be understood."""

    @login_not_required
    @wraps(view)
    def wrapper(request: HttpRequest) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return refusal(401, "Sign in to see notifications.")
        if not is_for(request, signed_in(request)):
            return refusal(401, "Somebody else is signed in now.")
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

    ``{"notifications": [...], "next": <before> or null, "cursor", "token"}``. Takes
    ``before``, ``limit`` (at most 100), and to list less than all that is not
    archived ``view=unread`` or ``archived``, ``category=`` and ``q=``.
    """
    now = clock.now()
    limit = request.GET.get("limit", str(PAGE_SIZE))
    if not re.fullmatch("[0-9]{1,3}", limit) or not 0 < int(limit) <= LARGEST_PAGE:
        raise BadRequest(f"limit is {limit[:40]!r}; it may be 1 to {LARGEST_PAGE}.")
    where = parse_filter(request)
    page = Inbox(signed_in(request), now=now).page(int(limit), _before(request), where)
    return JsonResponse(
        {
            "notifications": [item(row) for row in page.items],
            "next": page.next and str(page.next),
            "cursor": str(Cursor.at(now)),
            # A page from before a new login has one that is worth nothing any more.
            "token": get_token(request),
        }
    )


@outside_transactions
@require_GET
@endpoint
def state(request: HttpRequest) -> HttpResponseBase:
    """
    Return the counts, and the state of the ids in ``shown=1,2,3``.

    With ``since=<cursor>`` also what the stream would have brought since: in
    ``notifications``, the first announced first, some perhaps had before; or in
    ``reset`` why that cannot be told, and the inbox is to be read again.
    """
    since = parse_cursor("since", request.GET.get("since", ""))
    if since:
        # Where nobody streams nobody sweeps: who polls has what is due announced.
        outbox.announce(Notification.objects.all())
    now = clock.now()
    shown = request.GET.get("shown", "")
    ids = _parse_ids(shown.split(",")) if shown else []
    mine = Inbox(signed_in(request), now=now)
    forget_session(request)
    news: dict[str, object] = {}
    if since:
        replay = mine.replay(since, now)
        items = [item(row) for row in replay.items]
        news = {"notifications": items, "reset": replay.reset}
    return JsonResponse({**mine.state(ids), **news, "cursor": str(Cursor.at(now))})


@require_POST
@endpoint
def seen(request: HttpRequest) -> HttpResponseBase:
    """Note that the bell was opened on what there was ``upto`` a cursor."""
    mine = Inbox(signed_in(request))
    mine.mark_seen(_upto(request))
    return _changed(request, mine)


@require_POST
@endpoint
def read(request: HttpRequest) -> HttpResponseBase:
    """
    Mark ``id`` (repeatable) read; or ``all=1``, best with ``upto``.

    The answer to ``all`` has ``"undo"``: what to send to ``api/unread/``.
    """
    mine = Inbox(signed_in(request))
    if request.POST.get("all"):
        now = clock.now()
        mine.mark_all_read(_upto(request), at=now)
        return _changed(request, mine, undo=str(Cursor.at(now)))
    return _change(request, mine, mine.mark_read)


@require_POST
@endpoint
def unread(request: HttpRequest) -> HttpResponseBase:
    """Mark ``id`` (repeatable) unread; or what ``undo`` says was marked read."""
    mine = Inbox(signed_in(request))
    if undo := parse_cursor("undo", request.POST.get("undo", "")):
        mine.undo_all_read(undo.moment)
        return _changed(request, mine)
    return _change(request, mine, mine.mark_unread)


@require_POST
@endpoint
def archived(request: HttpRequest) -> HttpResponseBase:
    """Put ``id`` (repeatable) away."""
    mine = Inbox(signed_in(request))
    return _change(request, mine, mine.archive)


@require_POST
@endpoint
def unarchived(request: HttpRequest) -> HttpResponseBase:
    """Take ``id`` (repeatable) back that was put away."""
    mine = Inbox(signed_in(request))
    return _change(request, mine, mine.unarchive)


def _change(
    request: HttpRequest, mine: Inbox, mark: Callable[[list[int]], int]
) -> HttpResponseBase:
    # A row's own button means that row, whatever boxes are ticked beside it.
    ids = _parse_ids(request.POST.getlist("only") or request.POST.getlist("id"))
    if not ids:
        if not _wants_json(request):  # a form without a tick
            return _changed(request, mine)
        raise BadRequest("No id was given; send id=<number>, repeatable.")
    if not mine.knows(ids):
        return refusal(404, "There is no such notification.")
    mark(ids)
    return _changed(request, mine, ids)


def _changed(
    request: HttpRequest, mine: Inbox, ids: list[int] | None = None, **more: str
) -> HttpResponseBase:
    """Answer a script with the new state, and a form with the way back."""
    if _wants_json(request):
        return JsonResponse({**mine.state(ids or []), **more})
    following = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        following, {request.get_host()}, require_https=request.is_secure()
    ):
        following = reverse("notifications:inbox")
    return HttpResponseRedirect(following, status=303)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


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
    return parse_cursor("before", request.GET.get("before", ""))


def _upto(request: HttpRequest) -> Cursor | None:
    return parse_cursor("upto", request.POST.get("upto", ""))
