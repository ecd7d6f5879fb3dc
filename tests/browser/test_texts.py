"""Whatever a text holds, it is shown as it is, and is the same wherever it is read."""

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.models import Notification

from .pages import bell, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

TEXTS = [
    ("<img src=x onerror=alert(1)>", "<script>alert(2)</script> {{ body }} </script>"),
    ("“Quoted” 'and' \\u0041 &amp; &#x41;", "</template></notification-list>"),
    ("W" * 200, "W" * 10_000),
    ("مرحبا بالعالم 👩‍👩‍👧‍👦", "שלום\u202e reversed \u2066isolated\u2069 👋🏽"),
    ("One\nTwo\tThree", "Line\n\n  Line\u2028Separated\u2029Paragraph\x0bTab"),
]

# What a page shows of each row, oldest first.
SHOWN = """rows => rows.map(row => [
    row.querySelector("[data-slot=title]").textContent,
    row.querySelector("[data-slot=body]").textContent,
]).reverse()"""

WIDER_THAN_THE_WINDOW = """() =>
    [document.documentElement, ...document.querySelectorAll("[data-rows]")]
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(element => element.outerHTML.slice(0, 60))
"""


def test_hostile_texts_are_shown_literally_and_fit_a_narrow_window(ada, open_page):
    """Check 19: rendered and live, through the API and the stream."""
    page = open_page(ada, "/notifications/", viewport={"width": 320, "height": 640})
    wait_for_status(page, "open")
    page.evaluate(
        """() => document.addEventListener("notifications:received", ({ detail }) =>
            (window.heard ??= []).push([detail.title, detail.body]))"""
    )
    rows = page.locator("main [data-rows] [data-notification]")

    for title, body in TEXTS:
        notify(ada, title, body=body)

    expect(rows).to_have_count(len(TEXTS))
    wanted = [list(texts) for texts in TEXTS]
    assert page.evaluate("window.heard") == wanted
    assert rows.evaluate_all(SHOWN) == wanted
    assert page.evaluate(WIDER_THAN_THE_WINDOW) == []
    page.reload()
    assert rows.evaluate_all(SHOWN) == wanted
    answer = page.request.get("/notifications/api/notifications/").json()
    listed = [[one["title"], one["body"]] for one in answer["notifications"]]
    assert listed[::-1] == wanted
    stored = Notification.objects.order_by("pk").values_list("title", "body")
    assert [list(texts) for texts in stored] == wanted
    bell(page, f"Notifications, {len(TEXTS)} unread").click()
    assert page.evaluate(WIDER_THAN_THE_WINDOW) == []
    expect(page.locator("[data-rows] :is(img, script)")).to_have_count(0)
