"""The inbox, and the script that its browser runs beside the pages."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template import TemplateDoesNotExist, loader
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from notifications import categories, clock
from notifications.events import Cursor
from notifications.inbox import Inbox
from notifications.worker import script, version

from .answers import BadRequest, parse_cursor, parse_filter, private, signed_in

PAGE_SIZE = 20


@login_required
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """Show the inbox: complete without JavaScript, live with it."""
    now = clock.now()  # before the queries: see notification_bell
    mine = Inbox(signed_in(request), now=now)
    try:
        before = parse_cursor("before", request.GET.get("before", ""))
        where = parse_filter(request)
    except BadRequest:
        return HttpResponseRedirect(request.path)
    context = {
        "base_template": _base_template(),
        "page": mine.page(PAGE_SIZE, before, where),
        "counts": mine.counts(),
        "cursor": Cursor.at(now),
        "where": where,
        "query": where.query(),
        "live": before is None and where.is_live,
        "categories": categories.choices(),
    }
    wants_fragment = "HX-Request" in request.headers
    wants_fragment &= "HX-Boosted" not in request.headers
    name = "_inbox" if wants_fragment else "inbox"
    response = render(request, f"notifications/{name}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return private(response)


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
