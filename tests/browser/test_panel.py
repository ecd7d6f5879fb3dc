"""The bell, its badge and its panel: counted, named, opened, closed, seen."""

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.inbox import Filter, Inbox, View
from tests.factories import make_notification, make_notifications
from tests.waiting import patience

from .pages import badge, bell, rows, settle, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]


def panel(page):
    return page.get_by_role("dialog", name="Notifications")


def test_badge_and_name_count_in_every_tab_what_is_new(ada, open_page):
    """Check 13: within a second, none at 0, and 99+ where the name says 100."""
    tabs = [open_page(ada), open_page(ada)]
    for tab in tabs:
        wait_for_status(tab, "open")
        expect(badge(tab)).to_be_hidden()
        expect(bell(tab, "Notifications")).to_be_visible()
    notify(ada, "The first one starts this process's bus")
    for tab in tabs:
        expect(badge(tab)).to_have_text("1")
    make_notifications(ada, 97)
    for tab in tabs:
        tab.evaluate("document.dispatchEvent(new Event('notifications:refetch'))")
        expect(badge(tab)).to_have_text("98")

    for text, unread in [("99", 99), ("99+", 100)]:
        notify(ada, f"That makes {unread}")
        for tab in tabs:
            expect(badge(tab)).to_have_text(text, timeout=patience(1000))
            expect(bell(tab, f"Notifications, {unread} unread")).to_be_visible()

    Inbox(ada).mark_seen()
    Inbox(ada).mark_all_read()
    for tab in tabs:
        expect(badge(tab)).to_be_hidden()
        expect(bell(tab, "Notifications")).to_be_visible()


def test_the_panel_opens_and_closes_by_every_way_there_is(ada, open_page):
    """Check 14."""
    make_notification(ada, "Look at me")
    page = open_page(ada)
    button = bell(page, "Notifications, 1 unread")
    ways = [
        (lambda: button.press("Enter"), lambda: page.keyboard.press("Escape")),
        (lambda: button.press("Space"), lambda: button.click()),
        (lambda: button.click(), lambda: page.keyboard.press("Escape")),
    ]
    expect(button).to_have_attribute("aria-expanded", "false")

    for open_panel, close_panel in ways:
        open_panel()
        expect(panel(page)).to_be_focused()
        expect(button).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Tab")
        assert panel(page).evaluate("panel => panel.contains(document.activeElement)")

        close_panel()
        expect(panel(page)).to_be_hidden()
        expect(button).to_be_focused()
        expect(button).to_have_attribute("aria-expanded", "false")

    button.click()
    expect(panel(page)).to_be_focused()
    page.mouse.click(5, page.viewport_size["height"] - 5)
    expect(panel(page)).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")


def test_opening_the_panel_marks_seen_everywhere_and_reads_nothing(ada, open_page):
    """Check 15: here, in the other tab, and on another device."""
    make_notification(ada, "Look at me")
    first, second = open_page(ada), open_page(ada)
    phone = open_page(ada, device="phone")
    for page in (first, second, phone):
        wait_for_status(page, "open")
        expect(badge(page)).to_have_text("1")

    first.bring_to_front()
    bell(first, "Notifications, 1 unread").click()

    expect(badge(first)).to_be_hidden(timeout=patience(1500))
    for page in (second, phone):
        expect(badge(page)).to_be_hidden(timeout=patience(1000))
        expect(bell(page, "Notifications, 1 unread")).to_be_visible()
    expect(rows(first)).not_to_have_attribute("data-read", "")
    unread = Inbox(ada).page(where=Filter(View.UNREAD)).items
    assert [row.title for row in unread] == ["Look at me"]


def test_what_left_a_full_panel_is_among_the_older_ones(ada, open_page):
    """Check 18: nothing is lost while new ones arrive."""
    make_notifications(ada, 15)
    page = open_page(ada)
    wait_for_status(page, "open")
    for number in range(15, 18):
        notify(ada, f"Number {number}")
    expect(badge(page)).to_have_text("18")
    bell(page, "Notifications, 18 unread").click()
    titles = rows(page).locator("[data-slot=title]")
    expect(titles).to_have_text([f"Number {number}" for number in range(17, 7, -1)])

    panel(page).get_by_role("link", name="Older notifications").click()

    expect(titles).to_have_text([f"Number {number}" for number in range(17, -1, -1)])


def test_a_panel_that_was_emptied_has_room_for_as_many_as_before(ada, open_page):
    """Though the older ones that it asks for then are none any more."""
    make_notifications(ada, 11)
    page = open_page(ada)
    settle(page)
    bell(page, "Notifications, 11 unread").click()
    expect(rows(page)).to_have_count(10)

    with page.expect_response("**/api/notifications/*"):
        Inbox(ada).archive([row.pk for row in Inbox(ada).page().items])
    expect(panel(page).locator("[data-empty]")).to_be_visible()
    for title in ["One", "Two"]:
        notify(ada, title)

    expect(rows(page).locator("[data-slot=title]")).to_have_text(["Two", "One"])
