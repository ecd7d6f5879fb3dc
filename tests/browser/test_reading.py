"""What the reader does: seen, read, unread; with a script and without."""

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.filters import Filter, View
from notifications.inbox import Inbox
from tests.factories import make_notification
from tests.waiting import eventually

from .attention import look_away_from
from .pages import badge, bell, rows, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]


def unread_titles(user):
    return [row.title for row in Inbox(user).page(where=Filter(View.UNREAD)).items]


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


def test_what_arrives_after_the_panel_was_left_is_not_seen(ada, open_page):
    page = open_page(ada, "about:blank")
    page.clock.install()
    page.goto("/")
    wait_for_status(page, "open")
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    bell(page, "Notifications").click()
    page.evaluate(
        """() => new Promise((seen) => {
            const list = document.querySelector("notification-list");
            new IntersectionObserver(seen).observe(list);
        })"""
    )
    page.keyboard.press("Escape")
    look_away_from(page)
    notify(ada, "Nobody looks")
    expect(badge(page)).to_have_text("1")

    with page.expect_response("**/api/seen/"):
        page.clock.run_for(1000)

    expect(badge(page)).to_have_text("1")
    assert Inbox(ada).counts().unseen == 1


def test_mark_all_read_is_bound_undone_and_taken_back(ada, open_page):
    """Check 17: to what was shown; by its button; when it fails."""
    make_notification(ada, "Shown")
    make_notification("everyone", "Shown to everyone")
    page = open_page(ada, "/notifications/", expecting=["500"])
    wait_for_status(page, "open")
    main = page.locator("main")
    unread = main.locator("[data-rows] [data-notification]:not([data-read])")
    titles = unread.locator("[data-slot=title]")

    def meanwhile(route):
        notify(ada, "Meanwhile")
        route.continue_()

    page.route("**/api/read/", meanwhile, times=1)
    main.get_by_role("button", name="Mark all as read").click()
    expect(titles).to_have_text(["Meanwhile"])
    eventually(lambda: unread_titles(ada) == ["Meanwhile"])

    main.get_by_role("button", name="Undo").click()
    everything = ["Meanwhile", "Shown to everyone", "Shown"]
    expect(titles).to_have_text(everything)
    eventually(lambda: unread_titles(ada) == everything)

    page.route("**/api/read/", lambda route: route.fulfill(status=500))
    main.get_by_role("button", name="Mark all as read").click()
    expect(main.get_by_role("alert")).to_have_text(
        "That could not be saved. Try again."
    )
    assert titles.all_text_contents() == everything  # when it is said, not later
    assert unread_titles(ada) == everything


def test_mark_all_read_covers_what_arrived_since_the_page_was_made(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")
    notify(ada, "Arrived")
    bell(page, "Notifications, 1 unread").click()
    expect(rows(page)).to_have_count(1)  # it may be counted before it is shown

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


def test_following_a_link_marks_it_read_everywhere_and_prefetching_does_not(
    ada, open_page
):
    """Check 16."""
    make_notification(ada, "Go", url="/users/")
    page = open_page(ada, "/notifications/")
    phone = open_page(ada, "/notifications/", device="phone")
    for each in (page, phone):
        wait_for_status(each, "open")

    with page.expect_request("**/users/") as prefetched:
        page.evaluate(
            """() => {
                const hint = document.createElement("link");
                Object.assign(hint, { rel: "prefetch", href: "/users/" });
                document.head.append(hint);
            }"""
        )
    assert "prefetch" in prefetched.value.all_headers()["sec-purpose"]
    page.request.get("/notifications/", headers={"Sec-Purpose": "prefetch"})
    assert unread_titles(ada) == ["Go"]
    page.locator("main").get_by_role("link", name="Go").click()

    page.wait_for_url("**/users/")
    row = phone.locator("main [data-notification]")
    expect(row).to_have_attribute("data-read", "")
    expect(bell(phone, "Notifications")).to_be_visible()
    assert unread_titles(ada) == []


def test_without_a_script_the_inbox_lists_marks_read_and_leads_on(ada, open_page):
    """Check 16: a link, and a button beside it."""
    make_notification(ada, "First", body="With text.", url="/users/")
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
    main.get_by_role("link", name="First").click()
    page.wait_for_url("**/users/")


def test_without_a_script_older_notifications_are_a_page_away(ada, open_page):
    for number in range(21):
        make_notification(ada, f"Number {number}")
    page = open_page(ada, "/notifications/", java_script_enabled=False)

    page.locator("main").get_by_role("link", name="Older").click()

    expect(page.locator("main [data-slot=title]")).to_have_text(["Number 0"])
