"""
What a page shows: ``{% load notifications %}``.

Each tag renders what works without JavaScript, and the scripts that make it live.
Nothing is rendered for anonymous visitors, so the tags are safe in a base template.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, cast

import django
from django import template
from django.forms import Media
from django.template import loader
from django.template.context import Context
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext_lazy

from notifications import categories, clock
from notifications.conf import conf
from notifications.constants import BADGE_LIMIT, COUNT_LIMIT, Placement
from notifications.events import Cursor, to_iso
from notifications.filters import Filter
from notifications.inbox import MOST_BANNERS, Counts, Inbox, Page
from notifications.models import Notification
from notifications.plurals import plural_forms
from notifications.revocation import page_key
from notifications.worker import worker_url

PANEL_SIZE = 10
PAGE_SIZE = 20

EVERYTHING = Filter()
ITEM = "notifications/_item.html"
ITEMS = "notifications/items/{}.html"

PLURALS = {
    "new": ngettext_lazy("%(count)s new", "%(count)s new", "count"),
    "more": ngettext_lazy("+%(count)s more", "+%(count)s more", "count"),
    "arrived": ngettext_lazy(
        "%(count)s new notification", "%(count)s new notifications", "count"
    ),
    "unread": ngettext_lazy(
        "Notifications, %(counter)s unread",
        "Notifications, %(counter)s unread",
        "counter",
    ),
}

# From then on media take attributes when they are rendered.
HAS_NONCES = django.VERSION >= (6, 1)

register = template.Library()


@register.inclusion_tag("notifications/bell.html", takes_context=True)
def notification_bell(
    context: Context, *, title: bool = True, events: str = ""
) -> dict[str, Any]:
    """
    Render the bell: a link to the inbox with a badge.

    With JavaScript it opens a panel of the latest notifications, and follows
    what happens without a reload.

    Args:
        title: Whether the page's title begins with the badge's count, ``(3) ``.
        events: Names of the project's own events that the page listens to,
            separated by spaces, besides progress, status, complete, failed,
            log and token.
    """
    shared = _shared(context, events)
    if not shared:
        return {}
    inbox = Inbox(shared["user"], now=shared["now"])
    counts = inbox.counts()
    page = inbox.page(limit=PANEL_SIZE)
    return shared | {
        "counts": counts,
        "badge": getattr(counts, conf.BADGE_COUNTS),
        "badge_counts": conf.BADGE_COUNTS,
        "rows": _rows(page, shared["now"]),
        "next": page.next,
        "panel_size": PANEL_SIZE,
        "where": Filter(),
        "live": True,
        "title": title,
    }


@register.inclusion_tag("notifications/toasts.html", takes_context=True)
def notification_toasts(context: Context, *, events: str = "") -> dict[str, Any]:
    """
    Render an empty corner, in which the tab in front shows what arrives.

    Best at the end of the body: that is where the keyboard gets to it.

    Args:
        events: As for ``notification_bell``.
    """
    return _shared(context, events)


@register.inclusion_tag("notifications/banner.html", takes_context=True)
def notification_banner(context: Context, *, events: str = "") -> dict[str, Any]:
    """
    Render the broadcasts that are banners: at most three, the newest first.

    Best at the beginning of the body. Each stays until it expires, or until the
    user puts it away where it may be.

    Args:
        events: As for ``notification_bell``.
    """
    shared = _shared(context, events)
    if not shared:
        return {}
    return shared | {
        "banners": Inbox(shared["user"], now=shared["now"]).banners(),
        "blank": Notification(placement=Placement.BANNER),
        "most": MOST_BANNERS,
    }


@register.inclusion_tag("notifications/stream.html", takes_context=True)
def notification_stream(context: Context, *, events: str = "") -> dict[str, Any]:
    """
    Connect the page, and render nothing to be seen.

    For pages that only listen to events; the other tags connect by themselves.

    Args:
        events: As for ``notification_bell``.
    """
    return _shared(context, events)


@register.simple_tag(takes_context=True)
def notification_media(context: Context, media: Media) -> SafeString:
    """
    Render the *media* of the admin's forms, with the page's nonce.

    As ``{% csp_nonce_attr media %}`` does, which Django has from 6.1.
    """
    nonce = _nonce(context)
    options = {"attrs": {"nonce": nonce}} if nonce and HAS_NONCES else {}
    return media.render(**options)


@register.inclusion_tag("notifications/list.html", takes_context=True)
def notification_list(
    context: Context,
    page: Page | None = None,
    counts: Counts | None = None,
    cursor: Cursor | None = None,
    *,
    where: Filter = EVERYTHING,
    live: bool = True,
    bulk: bool = False,
    events: str = "",
) -> dict[str, Any]:
    """
    Render a page of the inbox; the newest one unless the view passes another.

    Args:
        cursor: The database's time, taken before *page* was read.
        where: What *page* is of.
        live: Whether what arrives is put on top. Not on an older page.
        bulk: Whether rows can be ticked, to do something with several at once.
        events: As for ``notification_bell``.
    """
    shared = _shared(context, events)
    if not shared:
        return {}
    inbox = Inbox(shared["user"], now=shared["now"])
    page = page or inbox.page(PAGE_SIZE, where=where)
    return shared | {
        "cursor": cursor or shared["cursor"],
        "rows": _rows(page, shared["now"]),
        "next": page.next,
        "counts": counts or inbox.counts(),
        "where": where,
        "query": where.query(),
        "live": live,
        "bulk": bulk,
    }


@register.filter
def notification_moment(moment: datetime | None) -> str:
    """Return *moment* as payloads have it, for scripts; nothing for a blank row."""
    return to_iso(moment) if moment else ""


class Row(NamedTuple):
    """A notification as it is listed."""

    notification: Notification
    day: str
    """In words, if it is the first of its day."""

    @property
    def templates(self) -> list[str]:
        """What may render it, the first that there is."""
        return [ITEMS.format(self.notification.category), ITEM]


def _blanks() -> list[tuple[str, Row]]:
    """
    Return a row without content for each category that has a template of its own.

    And last, under no category, one for all others: for scripts to clone.
    """
    names = [ITEMS.format(slug) for slug, _ in categories.choices()]
    own = [
        (slug, Row(Notification(category=slug), ""))
        for (slug, _), name in zip(categories.choices(), names, strict=True)
        if _exists(name)
    ]
    return [*own, ("", Row(Notification(category=""), ""))]


def _exists(name: str) -> bool:
    try:
        loader.get_template(name)
    except template.TemplateDoesNotExist:
        return False
    return True


def _rows(page: Page, now: datetime) -> list[Row]:
    today = _date(now)
    rows, last = [], None
    for notification in page.items:
        day = _date(cast(datetime, notification.publish_at))
        rows.append(Row(notification, "" if day == last else _day(day, today)))
        last = day
    return rows


def _date(moment: datetime) -> date:
    """Return the date of *moment* as pages show it."""
    return (timezone.localtime(moment) if timezone.is_aware(moment) else moment).date()


def _day(day: date, today: date) -> str:
    if day == today:
        return gettext("Today")
    if day == today - timedelta(days=1):
        return gettext("Yesterday")
    return date_format(day)


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
        "badge_limit": BADGE_LIMIT,
        "count_limit": COUNT_LIMIT,
        "plurals": {name: plural_forms(text) for name, text in PLURALS.items()},
        "here": request.get_full_path() if request else "",
        # Filled by the script, so that live rows look like those rendered here.
        "blanks": _blanks(),
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
