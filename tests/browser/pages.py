"""What a reader of the tests would point at on a page."""

import time
from contextlib import contextmanager

import pytest
from django.conf import settings

from notifications.inbox import Inbox
from tests.waiting import eventually

on_both_rungs = pytest.mark.parametrize("rung", ["shared", "tab"])

# One site for all languages: that of the browser decides, its ``locale``.
MIDDLEWARE = [*settings.MIDDLEWARE]
MIDDLEWARE.insert(3, "django.middleware.locale.LocaleMiddleware")
in_any_language = pytest.mark.parametrize(
    "site_settings", [pytest.param({"MIDDLEWARE": MIDDLEWARE}, id="any language")]
)

STREAM = "**/notifications/stream/*"
STREAM_PATH = "/notifications/stream/"
STATE_PATH = "/notifications/api/state/"

# What a page went through: the statuses it told, the ids it received, what it had
# assistive technology say, and whether it came from the back/forward cache. It has
# settled when it has heard of all that happened before it was connected.
RECORDER = """
    window.told = [];
    window.had = [];
    window.said = [];
    window.kept = false;
    window.settled = false;
    addEventListener("pageshow", ({ persisted }) => { window.kept = persisted; });
    document.addEventListener("notifications:connection", ({ detail }) =>
        window.told.push(detail.status));
    document.addEventListener("notifications:received", ({ detail }) =>
        window.had.push(detail.id));
    document.addEventListener("notifications:state", ({ detail }) => {
        const stream = document.querySelector("notification-stream");
        const madeUs = Number(stream?.dataset.cursor.split("-")[0]);
        if ("removed" in detail || detail.as_of <= madeUs) window.settled = true;
    });
    addEventListener("DOMContentLoaded", () => {
        for (const region of document.querySelectorAll("[data-announce]")) {
            new MutationObserver(() => window.said.push(region.textContent))
                .observe(region, { childList: true });
        }
    });
"""


def badge(page):
    return page.locator("[data-badge]")


def bell(page, name):
    return page.get_by_role("button", name=name, exact=True)


def rows(page):
    return page.locator("[data-rows] [data-notification]:visible")


def wait_for_status(page, status):
    page.locator(f"notification-stream[data-status={status}]").first.wait_for(
        state="attached"
    )


def settle(page):
    """Wait until a connected *page* has heard of all that happened before it was."""
    eventually(lambda: page.evaluate("window.settled"))


def status(page):
    return page.locator("notification-stream").first.get_attribute("data-status")


def transport(page):
    return page.locator("notification-stream").first.get_attribute("data-transport")


def hide(page):
    """
    Put *page* in the background, as far as its scripts can tell.

    Chromium has every page be visible while it is driven from outside.
    """
    _be(page, "hidden")


def look_at(page):
    """Bring a hidden *page* to the front again."""
    page.bring_to_front()
    _be(page, "visible")


def _be(page, visibility):
    page.evaluate(
        """visibility => {
            Object.defineProperty(document, "visibilityState", {
                configurable: true, get: () => visibility,
            });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        visibility,
    )


@contextmanager
def frozen(page):
    """
    Stop *page* as a browser stops a tab that was long in the background.

    Chromium freezes no page that it takes for visible, as it does each that is
    driven from outside. So its scripts are told, and then wait for an answer.
    """
    held = []
    page.route("**/frozen/", lambda route: held.append(route))
    page.evaluate(
        """() => {
            document.dispatchEvent(new Event("freeze"));
            setTimeout(() => {
                const request = new XMLHttpRequest();
                request.open("GET", "/frozen/", false);
                request.send();
                document.dispatchEvent(new Event("resume"));
            }, 50);
        }"""
    )
    # Playwright hears of requests only while it is spoken to, and the page is silent.
    eventually(lambda: page.context.cookies() and held)
    yield
    held[0].fulfill(body="")
    page.evaluate("0")  # answered when it has a turn again


def shown(page):
    """Return what an inbox page shows at one moment; see stored()."""
    return page.evaluate(
        """() => ({
            rows: [...document.querySelectorAll("main [data-rows] [data-notification]")]
                .filter(row => row.checkVisibility())
                .map(row => [
                    Number(row.dataset.notification),
                    row.querySelector("[data-slot=title]").textContent,
                    row.hasAttribute("data-read"),
                ]),
            name: document.querySelector("[data-toggle]").getAttribute("aria-label"),
            badge: [...document.querySelectorAll("[data-badge]")]
                .map(badge => badge.hidden ? "0" : badge.textContent).join(),
        })"""
    )


def stored(user):
    """Return what an inbox page of *user* has to show, in order: the database."""
    inbox = Inbox(user)
    counts = inbox.counts()
    return {
        "rows": [[row.pk, row.title, row.is_read] for row in inbox.page().items],
        "name": f"Notifications, {counts.unread} unread"
        if counts.unread
        else "Notifications",
        "badge": str(counts.unseen),
    }


def equal_the_table(pages, user, *, within=5.0):
    """Have all inbox *pages* show what is stored, at one moment before long."""
    try:
        eventually(
            lambda: [shown(page) for page in pages] == [stored(user)] * len(pages),
            within=within,
        )
    except AssertionError:
        for page in pages:
            assert shown(page) == stored(user), f"not within {within} s"


def until(moment):
    """Wait for *moment* of the monotonic clock: for what is about a duration."""
    eventually(lambda: time.monotonic() >= moment, within=moment - time.monotonic() + 5)


class StreamCount:
    """``with StreamCount(site) as count``: how many streams the server had."""

    def __init__(self, site):
        self._site = site
        self._had = []  # (from when, how many)

    def __enter__(self):
        self._had.append((time.monotonic(), self._site.streams))
        return self

    def __exit__(self, *exc_info):
        [(start, _)] = self._had
        self._had += [each for each in self._site.get("/counts/") if each[0] > start]
        self._had.append((time.monotonic(), self._had[-1][1]))

    @property
    def most(self):
        return max(count for _, count in self._had)

    def longest_over(self, limit):
        """Return for how many seconds at a time there were more than *limit*."""
        longest, since = 0.0, None
        for at, count in self._had:
            if since is not None:
                longest = max(longest, at - since)
            if count <= limit:
                since = None
            elif since is None:
                since = at
        return longest


def receive(page, *notifications):
    """
    Tell a connected *page* of what the connection would: fields over defaults.

    Once it has settled: what the table lacks would be counted and listed no more.
    """
    settle(page)
    page.evaluate(
        """notifications => {
            for (const fields of notifications) {
                const detail = {
                    id: 1, at: Date.now() * 1000, title: "Hello", body: "", url: "",
                    level: 20, level_name: "info", category: "general", actor: "",
                    target: "", translations: {}, replaces: false,
                    publish_at: new Date().toISOString(), ...fields,
                };
                document.body.dispatchEvent(
                    new CustomEvent("notifications:received", { bubbles: true, detail })
                );
            }
        }""",
        notifications,
    )
