"""Everything can be done without a mouse, and the focus is never lost."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from notifications import clock
from notifications.api import notify
from notifications.constants import Level
from notifications.inbox import Inbox
from tests.factories import make_notification, make_notifications
from tests.waiting import eventually

from .pages import bell, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

HOUR = timedelta(hours=1)

# What has the focus: its name, and which row or toast it is in.
FOCUS = """() => {
    const { activeElement: element } = document;
    const part = element.closest("notification-toast, [data-notification]");
    const title = part?.querySelector("[data-slot=title]").textContent ?? "";
    const name = element.getAttribute("aria-label") ?? element.textContent;
    return [title, name.trim().replaceAll(/\\s+/g, " ")];
}"""


def focus(page):
    return page.evaluate(FOCUS)


def tab_to(page, *wanted, most=30):
    """Press Tab until the focus is on what is named, or in the row, so."""
    seen = []
    for _ in range(most):
        page.keyboard.press("Tab")
        seen.append(focus(page))
        if seen[-1] == list(wanted):
            return
    raise AssertionError(f"Tab does not lead to {wanted}: {seen}")


@pytest.fixture
def three(ada):
    for title in ["Third", "Second", "First"]:
        make_notification(ada, title, url=f"/linked/1/?{title}")


def test_from_the_bell_to_a_row_and_back_without_a_mouse(ada, three, open_page):
    """Check 33."""
    page = open_page(ada, "/toasts/")
    wait_for_status(page, "open")
    panel = page.get_by_role("dialog", name="Notifications")

    tab_to(page, "", "Notifications, 3 unread")
    page.keyboard.press("Enter")
    expect(panel).to_be_focused()
    tab_to(page, "Second", "Mark as read")
    page.keyboard.press("Space")
    assert focus(page) == ["Second", "Mark as unread"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert focus(page) == ["Third", "Third"]
    page.keyboard.press("Shift+Tab")
    assert focus(page) == ["First", "Archive"]
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(bell(page, "Notifications, 2 unread")).to_be_focused()

    page.keyboard.press("Space")
    expect(panel).to_be_focused()
    tab_to(page, "", "Mark all as read")
    page.keyboard.press("Enter")
    expect(panel.locator("[data-rows]")).to_be_focused()
    eventually(lambda: Inbox(ada).counts().unread == 0)
    # The page hears of that later than the table.
    expect(panel.get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    assert focus(page) == ["", "Undo"]
    page.keyboard.press("Enter")
    expect(panel.locator("[data-rows]")).to_be_focused()
    eventually(lambda: Inbox(ada).counts().unread == 2)

    tab_to(page, "Third", "Third")
    page.keyboard.press("Enter")
    page.wait_for_url("**/linked/1/?Third")
    eventually(lambda: Inbox(ada).counts().unread == 1)


def test_toasts_come_last_in_the_tab_order_and_give_the_focus_back(ada, open_page):
    """Check 33."""
    page = open_page(ada, "/toasts/")
    wait_for_status(page, "open")
    field = page.get_by_label("Something to fill in")
    field.focus()
    for title in ("One", "Two"):
        notify(ada, title, level=Level.ERROR, url="/users/")
    expect(page.locator("notification-toast")).to_have_count(2)
    expect(field).to_be_focused()

    page.keyboard.press("Tab")
    assert focus(page) == ["One", "One"]
    page.keyboard.press("Escape")
    assert focus(page) == ["Two", "Close"]
    page.keyboard.press("Enter")

    expect(page.locator("notification-toast")).to_have_count(0)
    expect(field).to_be_focused()


def test_the_focus_stays_in_the_list_whatever_leaves_it(ada, three, open_page):
    """Check 33: recalled, archived with others, in another tab, or by a key."""
    recalled = make_notification(ada, "Zeroth", url="/users/")
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")
    rows = page.locator("main [data-rows]")
    row = {
        title: rows.locator("[data-notification]").filter(has_text=title)
        for title in ("Zeroth", "First", "Second", "Third")
    }

    row["Zeroth"].get_by_role("checkbox").focus()
    page.evaluate(
        """id => document.body.dispatchEvent(new CustomEvent(
            "notifications:removed", { bubbles: true, detail: { ids: [id] } }))""",
        recalled.pk,
    )
    expect(row["Zeroth"]).to_have_count(0)
    expect(row["First"].get_by_role("link")).to_be_focused()

    row["First"].get_by_role("checkbox").check()
    archive = page.locator("main [data-bulk] [data-action=archive]")
    archive.focus()
    archive.press("Enter")
    expect(row["First"]).to_have_count(0)
    expect(rows).to_be_focused()

    row["Second"].get_by_role("link").focus()
    [second] = [each for each in Inbox(ada).page().items if each.title == "Second"]
    Inbox(ada).archive([second.pk])
    expect(row["Second"]).to_have_count(0)
    expect(row["Third"].get_by_role("link")).to_be_focused()

    row["Third"].get_by_role("link").press("e")
    expect(row["Third"]).to_have_count(0)
    expect(rows).to_be_focused()


def test_the_focus_stays_in_a_full_panel_when_its_row_is_pushed_out(ada, open_page):
    make_notifications(ada, 10)
    page = open_page(ada)
    wait_for_status(page, "open")
    bell(page, "Notifications, 10 unread").click()
    rows = page.get_by_role("dialog").locator("[data-rows] [data-notification]")
    # Where the panel is scrolled, what arrives waits.
    archive = rows.last.get_by_role("button", name="Archive")
    archive.evaluate("button => button.focus({ preventScroll: true })")

    notify(ada, "Fresh")

    expect(rows.first).to_contain_text("Fresh")
    expect(rows).to_have_count(10)
    expect(rows.last.get_by_role("button", name="Mark as read")).to_be_focused()


def test_the_focus_stays_in_the_list_when_all_of_it_goes(ada, open_page):
    """After a reset, and when somebody signs out in another tab."""
    make_notification(ada, "Old", age=2 * HOUR, url="/users/")
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")
    rows = page.locator("main [data-rows]")
    for _ in range(25):
        make_notification(ada, "Missed", age=HOUR, announced_at=clock.now())

    rows.get_by_role("link", name="Old").focus()
    page.evaluate("document.dispatchEvent(new Event('notifications:refetch'))")
    expect(rows.locator("[data-notification]").first).to_contain_text("Missed")
    expect(rows).to_be_focused()

    rows.get_by_role("button", name="Archive").first.focus()
    page.evaluate(
        """() => document.body.dispatchEvent(new CustomEvent(
            "notifications:connection",
            { bubbles: true, detail: { status: "signed-out" } }
        ))"""
    )
    expect(rows.locator("[data-notification]")).to_have_count(0)
    expect(rows).to_be_focused()


def test_the_focus_stays_in_a_row_that_is_read_elsewhere(ada, open_page):
    row = make_notification(ada)
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")
    main = page.locator("main")
    main.get_by_role("button", name="Mark as read").focus()

    Inbox(ada).mark_read([row.pk])
    expect(main.get_by_role("button", name="Mark as unread")).to_be_focused()
    Inbox(ada).mark_unread([row.pk])
    expect(main.get_by_role("button", name="Mark as read")).to_be_focused()


def test_no_key_does_anything_outside_of_rows_or_where_keys_are_off(
    ada, three, open_page
):
    """Check 33."""
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")
    rows = page.locator("main [data-rows] [data-notification]")

    for key in ("j", "e", "u"):
        page.keyboard.press(key)
    for key in ("j", "e", "u"):
        page.get_by_role("searchbox").press(key)
    expect(page.get_by_role("searchbox")).to_have_value("jeu")
    page.evaluate("document.body.dataset.keys = 'off'")
    rows.first.get_by_role("link").focus()
    for key in ("j", "e", "u"):
        page.keyboard.press(key)
    expect(rows.first.get_by_role("link")).to_be_focused()
    page.evaluate("delete document.body.dataset.keys")
    page.keyboard.press("Control+e")
    page.keyboard.press("j")

    expect(rows.nth(1).get_by_role("link")).to_be_focused()
    expect(rows).to_have_count(3)
    assert Inbox(ada).counts().unread == 3
