"""
What a page shows: ``{% load notifications %}``.

Each tag renders what works without JavaScript, and the scripts that make it live.
Nothing is rendered for anonymous visitors, so the tags are safe in a base template.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from notifications import clock
from notifications.conf import conf
from notifications.constants import COUNT_LIMIT
from notifications.events import Cursor
from notifications.inbox import Counts, Inbox, Page
from notifications.models import Notification
from notifications.revocation import page_key
from notifications.worker import worker_url

PANEL_SIZE = 10
PAGE_SIZE = 20

register = template.Library()


@register.inclusion_tag("notifications/bell.html", takes_context=True)
def notification_bell(context: Context, *, events: str = "") -> dict[str, Any]:
    """
    Render the bell: a link to the inbox with a badge.

    With JavaScript it opens a panel of the latest notifications, and follows
    what happens without a reload.

    Args:
        events: Names of the project's own events that the page listens to,
            separated by spaces, besides progress, status, complete, failed,
            log and token.
    """
    shared = _shared(context, events)
    if not shared:
        return {}
    inbox = Inbox(shared["user"], now=shared["now"])
    counts = inbox.counts()
    return shared | {
        "counts": counts,
        "badge": getattr(counts, conf.BADGE_COUNTS),
        "badge_counts": conf.BADGE_COUNTS,
        "page": inbox.page(limit=PANEL_SIZE),
        "panel_size": PANEL_SIZE,
        "live": True,
    }


@register.inclusion_tag("notifications/list.html", takes_context=True)
def notification_list(
    context: Context,
    page: Page | None = None,
    counts: Counts | None = None,
    cursor: Cursor | None = None,
    *,
    unread_only: bool = False,
    live: bool = True,
    events: str = "",
) -> dict[str, Any]:
    """
    Render a page of the inbox; the newest one unless the view passes another.

    Args:
        cursor: The database's time, taken before *page* was read.
        live: Whether what arrives is put on top. Not on an older page.
        events: As for ``notification_bell``.
    """
    shared = _shared(context, events)
    if not shared:
        return {}
    inbox = Inbox(shared["user"], now=shared["now"])
    return shared | {
        "cursor": cursor or shared["cursor"],
        "page": page or inbox.page(limit=PAGE_SIZE, unread=unread_only),
        "counts": counts or inbox.counts(),
        "unread_only": unread_only,
        "live": live,
    }


def _shared(context: Context, events: str) -> dict[str, Any]:
    """Return what every tag's template needs; nothing for anonymous visitors."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    # Taken before the page's queries: what arrives between rendering this page and
    # opening the connection is replayed rather than lost.
    now = clock.now()
    return {
        "user": user,
        "now": now,
        "cursor": Cursor.at(now),
        "count_limit": COUNT_LIMIT,
        "here": request.get_full_path() if request else "",
        # Filled by the script, so that live rows look like those rendered here.
        "blank": Notification(),
        "events": events,
        "csp_nonce": _nonce(context),
        "page_key": page_key(user),
        "worker_url": worker_url(),
    }


def _nonce(context: Context) -> str:
    """Return the nonce of Django's CSP middleware or django-csp's, or nothing."""
    nonce = context.get("csp_nonce")
    if nonce is None:
        nonce = getattr(context.get("request"), "csp_nonce", None)
    # As text at once: Django's is false until somebody has read it.
    return "" if nonce is None else str(nonce)
