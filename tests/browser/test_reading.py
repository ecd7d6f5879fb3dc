"""What the reader does: seen, read, unread; with a script and without."""

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.filters import Filter, View
from notifications.inbox import Inbox
from tests.factories import make_notification
from tests.waiting import eventually

from .pages import STREAM, badge, bell, rows, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]


def unread_titles(user):
    return [row.title for row in Inbox(user).page(where=Filter(View.UNREAD)).items]


def test_opening_the_panel_marks_seen_in_every_tab_and_reads_nothing(ada, open_page):
    make_notification(ada, "Look at me")
    first, second = open_page(ada), open_page(ada)
    for page in (first, second):
        wait_for_status(page, "open")
        expect(badge(page)).to_have_text("1")

    first.bring_to_front()
    bell(first, "Notifications, 1 unread").click()

    expect(badge(first)).to_be_hidden()
    expect(badge(second)).to_be_hidden()
    expect(bell(second, "Notifications, 1 unread")).to_be_visible()
    assert unread_titles(ada) == ["Look at me"]


def test_the_panel_opens_with_the_keyboard_and_gives_the_focus_back(ada, open_page):
    make_notification(ada, "Look at me")
    page = open_page(ada)
    button = bell(page, "Notifications, 1 unread")
    panel = page.get_by_role("dialog", name="Notifications")

    button.focus()
    page.keyboard.press("Enter")

    expect(panel).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    assert panel.evaluate("panel => panel.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")


def test_what_is_marked_read_is_read_in_the_other_tab_too(ada, open_page):
    make_notification(ada, "Read me")
    first = open_page(ada)
    second = open_page(ada, "/notifications/")
    for page in (first, second):
        wait_for_status(page, "open")

    first.bring_to_front()
    bell(first, "Notifications, 1 unread").click()
    rows(first).get_by_role("button", name="Mark as read").click()

    expect(bell(first, "Notifications")).to_be_visible()
    expect(bell(second, "Notifications")).to_be_visible()
    row = second.locator("main [data-notification]")
    expect(row).to_have_attribute("data-read", "")
    row.get_by_role("button", name="Mark as unread").click()
    expect(rows(first).get_by_role("button", name="Mark as read")).to_be_visible()
    expect(bell(first, "Notifications, 1 unread")).to_be_visible()


@pytest.mark.parametrize("rung", ["tab"])
def test_mark_all_read_covers_what_was_shown_and_no_more(ada, open_page):
    make_notification(ada, "Shown")
    page = open_page(ada, "about:blank", expecting=["net::ERR_FAILED"])
    page.route(STREAM, lambda route: route.abort())
    page.goto("/notifications/")
    notify(ada, "Not shown")

    page.locator("main").get_by_role("button", name="Mark all as read").click()

    row = page.locator("main [data-notification]", has_text="Shown")
    expect(row.first).to_have_attribute("data-read", "")
    eventually(lambda: unread_titles(ada) == ["Not shown"])


def test_mark_all_read_covers_what_arrived_since_the_page_was_made(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")
    notify(ada, "Arrived")
    bell(page, "Notifications, 1 unread").click()

    page.get_by_role("button", name="Mark all as read").click()

    expect(bell(page, "Notifications")).to_be_visible()
    assert unread_titles(ada) == []
    expect(page.get_by_role("dialog").get_by_role("list")).to_be_focused()


def test_what_cannot_be_saved_is_taken_back_and_said(ada, open_page):
    make_notification(ada, "Read me")
    page = open_page(ada, "/notifications/", expecting=["500"])
    page.route("**/api/read/", lambda route: route.fulfill(status=500))
    main = page.locator("main")

    main.get_by_role("button", name="Mark as read").click()

    expect(main.get_by_role("alert")).to_have_text(
        "That could not be saved. Try again."
    )
    expect(main.get_by_role("button", name="Mark as read")).to_be_visible()


def test_following_a_link_marks_it_read(ada, open_page):
    make_notification(ada, "Go", url="/users/")
    page = open_page(ada, "/notifications/")

    page.locator("main").get_by_role("link", name="Go").click()

    page.wait_for_url("**/users/")
    eventually(lambda: unread_titles(ada) == [])


def test_without_a_script_the_inbox_lists_and_marks_read(ada, open_page):
    make_notification(ada, "First", body="With text.")
    make_notification(ada, "Second")
    page = open_page(ada, "/", java_script_enabled=False)
    expect(page.get_by_role("dialog")).to_be_hidden()

    page.get_by_role("link", name="Notifications, 2 unread").click()
    main = page.locator("main")
    expect(main.locator("[data-slot=title]")).to_have_text(["Second", "First"])
    rows = main.locator("[data-rows]")
    rows.get_by_role("button", name="Mark as read").first.click()
    assert unread_titles(ada) == ["First"]
    main.get_by_role("button", name="Mark all as read").click()

    expect(main.locator("[data-notification][data-read]")).to_have_count(2)
    expect(page.get_by_role("link", name="Notifications", exact=True)).to_be_visible()
    assert unread_titles(ada) == []


def test_without_a_script_older_notifications_are_a_page_away(ada, open_page):
    for number in range(21):
        make_notification(ada, f"Number {number}")
    page = open_page(ada, "/notifications/", java_script_enabled=False)

    page.locator("main").get_by_role("link", name="Older").click()

    expect(page.locator("main [data-slot=title]")).to_have_text(["Number 0"])
