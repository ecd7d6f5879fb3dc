"""The inbox, and the script that its browser runs beside the pages."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template import TemplateDoesNotExist, loader
from django.views.decorators.http import require_GET

from notifications import clock
from notifications.events import Cursor
from notifications.inbox import Inbox
from notifications.worker import script, version

from .answers import BadRequest, parse_cursor, private, signed_in

PAGE_SIZE = 20


@login_required
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """Show the inbox: complete without JavaScript, live with it."""
    now = clock.now()  # before the queries: see notification_bell
    mine = Inbox(signed_in(request), now=now)
    unread_only = bool(request.GET.get("unread"))
    try:
        before = parse_cursor("before", request.GET.get("before", ""))
    except BadRequest:
        return HttpResponseRedirect(request.path)
    page = mine.page(PAGE_SIZE, before, unread=unread_only)
    context = {
        "base_template": _base_template(),
        "page": page,
        "counts": mine.counts(),
        "cursor": Cursor.at(now),
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


@login_not_required
@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """
    Return the script of the SharedWorker, which must be of the site's own origin.

    Static files may be on another. Nothing in it is anybody's; it may be kept
    for good under the address that names its version.
    """
    is_current = request.GET.get("v") == version()
    kept = "public, max-age=31536000, immutable" if is_current else "no-cache"
    return HttpResponse(
        script(),
        content_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": kept, "X-Content-Type-Options": "nosniff"},
    )
