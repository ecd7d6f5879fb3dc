"""In Arabic: from right to left, and with its six plural forms."""

import re
import time
from datetime import timedelta

import pytest
from django.utils import translation
from playwright.sync_api import expect

from notifications.api import notify
from notifications.constants import Level
from notifications.inbox import Inbox
from notifications.templatetags.notifications import PLURALS
from tests.factories import make_notification

from .pages import in_any_language, receive, settle, wait_for_status

pytestmark = [
    pytest.mark.browser,
    pytest.mark.live,
    pytest.mark.redis,
    in_any_language,
]

# One of each form that small numbers have.
COUNTS = (1, 2, 3, 11)

HOUR = timedelta(hours=1)


def arabic(name, count):
    """Return what gettext makes of a text of PLURALS for *count* in Arabic."""
    with translation.override("ar"):
        return str(PLURALS[name] % {"count": count, "counter": count})


def words(text):
    return re.sub(r"\d+", "", text)


def test_every_count_is_in_its_form(ada, open_page):
    """Check 32: the bell's name, the pill and toasts."""
    for name in PLURALS:
        assert len({words(arabic(name, count)) for count in COUNTS}) == len(COUNTS)
    for number in range(20):
        make_notification(ada, f"Number {number}", age=HOUR)
    Inbox(ada).mark_read([row.pk for row in Inbox(ada).page().items])
    page = open_page(ada, "/notifications/", locale="ar")
    wait_for_status(page, "open")
    page.locator("main [data-notification]").last.scroll_into_view_if_needed()
    for count in range(1, 12):
        notify(ada, f"New {count}")
        if count in COUNTS:
            expect(page.locator("main [data-pill]")).to_have_text(arabic("new", count))
            expect(page.locator("[data-toggle]")).to_have_attribute(
                "aria-label", arabic("unread", count)
            )

    page = open_page(ada, "about:blank", device="with a clock", locale="ar")
    page.clock.install()
    page.goto("/toasts/")
    wait_for_status(page, "open")
    settle(page)
    page.clock.pause_at(time.time() + 10)
    summary = page.locator("[data-toasts] a[href='/notifications/']")
    for number in range(1, 15):
        fields = {"id": 9000 + number, "level": 40, "placement": "toast", "age_ms": 0}
        receive(page, fields)
        page.clock.run_for(2_300)  # no burst
        if number - 3 in COUNTS:
            expect(summary).to_have_text(arabic("more", number - 3))


def test_what_is_at_the_end_of_lines_is_at_the_left(ada, open_page):
    """Check 32."""
    make_notification(ada, "Hello", url="/users/")
    page = open_page(ada, "/site/", locale="ar", reduced_motion="reduce")
    wait_for_status(page, "open")
    notify(ada, "An error", level=Level.ERROR)
    toast = page.locator("notification-toast").bounding_box()
    toggle, panel = page.locator("[data-toggle]"), page.locator("[data-panel]")
    toggle.click()
    expect(panel.locator("[data-desktop]")).to_be_visible()
    bell, opened = toggle.bounding_box(), panel.bounding_box()

    assert toast["x"] == 16
    assert opened["x"] == bell["x"]
    assert opened["x"] + opened["width"] > bell["x"] + bell["width"]
    # The switch and the bar of an unread row begin at the right.
    assert page.evaluate(
        """() => [".notification-switch", ".notification:not([data-read])"]
            .map((part) => getComputedStyle(document.querySelector(part), "::before"))
            .map(({ right }) => right)"""
    ) == ["0px", "0px"]
