"""The inbox page and the panel's list: what is done with rows, and what moves them."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from notifications import clock
from notifications.api import notify
from notifications.filters import Filter, View
from notifications.inbox import Inbox
from tests.factories import make_notification, make_notifications
from tests.waiting import eventually

from .pages import settle, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

MINUTE = timedelta(minutes=1)
LIST_PATH = "/notifications/api/notifications/"


def titles(user, view=View.ALL):
    return [row.title for row in Inbox(user).page(100, where=Filter(view)).items]


@pytest.fixture
def inbox(ada, open_page):
    """Return a function that opens ada's inbox and returns its page and rows."""

    def inbox(query="", **options):
        page = open_page(ada, f"/notifications/{query}", **options)
        wait_for_status(page, "open")
        return page, page.locator("main [data-rows] [data-notification]")

    return inbox


def row(rows, title):
    return rows.filter(has_text=title)


def missed(user, title, **fields):
    """Store what was announced only now, and not to the open page."""
    make_notification(user, title, announced_at=clock.now(), **fields)


# What the style sheet draws where rows are to come: blank ones.
BLANK = "element => getComputedStyle(element, '::after').content"


def answer(page, asked, **fields):
    """Answer the first of the requests that *page* was kept waiting for."""
    # Playwright hears of requests only while it is spoken to.
    eventually(lambda: page.evaluate("true") and asked)
    asked.pop(0).fulfill(**fields)


def test_what_is_archived_leaves_every_tab_and_undo_brings_it_back(ada, inbox):
    make_notification(ada, "Keep")
    make_notification(ada, "Put away")
    page, rows = inbox()
    _, elsewhere = inbox()

    row(rows, "Put away").get_by_role("button", name="Archive").click()

    expect(rows).to_have_count(1)
    expect(elsewhere).to_have_count(1)
    eventually(lambda: titles(ada, View.ARCHIVED) == ["Put away"])
    page.locator("main").get_by_role("button", name="Undo").click()
    expect(rows.locator("[data-slot=title]")).to_have_text(["Put away", "Keep"])
    expect(elsewhere).to_have_count(2)
    eventually(lambda: titles(ada) == ["Put away", "Keep"])


def test_undo_is_not_offered_for_an_earlier_one_while_another_is_saved(ada, inbox):
    make_notification(ada, "First")
    make_notification(ada, "Second")
    page, rows = inbox()
    undo = page.locator("main").get_by_role("button", name="Undo")
    row(rows, "First").get_by_role("button", name="Archive").click()
    expect(undo).to_be_visible()
    asked = []
    page.route("**/api/archived/", lambda route: asked.append(route))

    row(rows, "Second").get_by_role("button", name="Archive").click()

    eventually(lambda: page.evaluate("true") and asked)
    assert not undo.is_visible()
    asked[0].continue_()
    undo.click()
    expect(rows.locator("[data-slot=title]")).to_have_text(["Second"])


def test_what_cannot_be_archived_is_put_back_where_it_was(ada, inbox):
    for title in ["First", "Second", "Third"]:
        make_notification(ada, title)
    page, rows = inbox(expecting=["500"])
    page.route("**/api/archived/", lambda route: route.fulfill(status=500))

    row(rows, "Second").get_by_role("button", name="Archive").click()

    expect(page.locator("main").get_by_role("alert")).to_have_text(
        "That could not be saved. Try again."
    )
    order = ["Third", "Second", "First"]
    expect(rows.locator("[data-slot=title]")).to_have_text(order)


def test_what_is_archived_can_be_moved_back_from_its_own_list(ada, inbox):
    away = make_notification(ada, "Put away")
    Inbox(ada).archive([away.pk])
    _, rows = inbox("?view=archived")

    rows.get_by_role("button", name="Move to inbox").click()

    expect(rows).to_have_count(0)
    eventually(lambda: titles(ada) == ["Put away"])


def test_what_is_marked_unread_on_another_device_is_in_the_list_of_those(ada, inbox):
    again = make_notification(ada, "Once read", age=MINUTE)
    Inbox(ada).mark_read([again.pk])
    page, rows = inbox("?view=unread")
    settle(page)
    nothing = page.locator("main").get_by_text("Nothing unread.")
    expect(nothing).to_be_visible()

    Inbox(ada).mark_unread([again.pk])

    expect(rows.locator("[data-slot=title]")).to_have_text(["Once read"])
    expect(nothing).to_be_hidden()


def test_a_list_of_those_unread_is_read_again_once_for_one_that_it_does_not_take(
    ada, inbox, relay
):
    """One of another category, which the panel has: the page asks for its state."""
    other = make_notification(ada, "Of another category", age=MINUTE)
    page, rows = inbox("?view=unread&category=rare", at=relay)
    settle(page)
    assert relay.asked(LIST_PATH) == []

    Inbox(ada).mark_read([other.pk])
    with page.expect_response("**/api/state/*"):  # as after each reading
        Inbox(ada).mark_unread([other.pk])
    notify(ada, "After that")

    listed = page.locator("[data-rows] [data-slot=title]")
    expect(listed).to_have_text(["After that", "Of another category"])
    expect(rows).to_have_count(0)
    assert len(relay.asked(LIST_PATH)) == 1


def test_all_read_is_undone_but_for_what_had_been_read(ada, inbox):
    """Check 17."""
    old = make_notification(ada, "Old")
    Inbox(ada).mark_read([old.pk])
    make_notification(ada, "One")
    make_notification("everyone", "Two")
    page, _ = inbox()
    main = page.locator("main")

    main.get_by_role("button", name="Mark all as read").click()
    unread = main.locator("[data-rows] [data-notification]:not([data-read])")
    expect(unread).to_have_count(0)
    eventually(lambda: titles(ada, View.UNREAD) == [])
    main.get_by_role("button", name="Undo").click()

    expect(unread).to_have_count(2)
    eventually(lambda: titles(ada, View.UNREAD) == ["Two", "One"])


def test_older_ones_are_added_below_and_none_twice_while_new_ones_arrive(ada, inbox):
    """Check 18."""
    for number in range(45):
        make_notification(ada, f"Number {number}", age=(60 - number) * MINUTE)
    page, rows = inbox()
    expect(rows).to_have_count(20)
    older = page.locator("main").get_by_role("link", name="Older notifications")

    older.click()
    expect(rows).to_have_count(40)
    page.evaluate("scrollTo(0, 0)")
    notify(ada, "Fresh")
    expect(rows.first).to_contain_text("Fresh")
    older.click()

    expect(rows).to_have_count(46)
    expect(older).to_be_hidden()
    expected = ["Fresh", *[f"Number {number}" for number in range(44, -1, -1)]]
    expect(rows.locator("[data-slot=title]")).to_have_text(expected)


def test_older_ones_are_awaited_and_can_be_tried_again(ada, inbox):
    for number in range(21):
        make_notification(ada, f"Number {number}", age=(60 - number) * MINUTE)
    page, rows = inbox(expecting=["500"])
    main = page.locator("main")
    listed = main.get_by_role("list")
    asked = []
    page.route("**/api/notifications/*", lambda route: asked.append(route))

    main.get_by_role("link", name="Older notifications").press("Enter")
    expect(listed).to_have_attribute("aria-busy", "true")
    assert listed.evaluate(BLANK) == '""'
    answer(page, asked, status=500)
    alert = main.get_by_role("alert")
    expect(alert).to_have_text("Older notifications could not be loaded.")
    expect(alert).to_be_in_viewport()
    expect(main.get_by_role("link", name="Older notifications")).to_be_focused()
    assert listed.evaluate(BLANK) == "none"

    page.unroute("**/api/notifications/*")
    main.get_by_role("button", name="Try again").press("Enter")
    expect(rows).to_have_count(21)
    expect(rows.last.get_by_role("button", name="Mark as read")).to_be_focused()
    expect(listed).to_have_attribute("aria-busy", "false")
    expect(alert).to_be_empty()
    expect(main.get_by_role("button", name="Try again")).to_be_hidden()


def test_newest_ones_that_cannot_be_read_again_can_be_tried_again(ada, inbox):
    page, rows = inbox(expecting=["500"])
    main = page.locator("main")
    listed = main.get_by_role("list")
    element = main.locator("notification-list")
    asked = []
    page.route("**/api/notifications/*", lambda route: asked.append(route))

    page.evaluate("document.dispatchEvent(new Event('notifications:refetch'))")
    expect(element).to_have_attribute("aria-busy", "true")
    expect(main.locator("[data-empty]")).to_be_hidden()
    assert main.locator("[data-empty]").evaluate(BLANK) == '""'
    answer(page, asked, status=500)
    alert = main.get_by_role("alert")
    expect(alert).to_have_text("The newest notifications could not be loaded.")

    make_notification(ada)
    page.unroute("**/api/notifications/*")
    main.get_by_role("button", name="Try again").press("Enter")
    expect(rows).to_have_count(1)
    expect(element).to_have_attribute("aria-busy", "false")
    expect(alert).to_be_empty()
    expect(listed).to_be_focused()


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_arrives_while_a_reset_is_answered_stays_and_hides_no_gap(
    ada, inbox, is_answered
):
    """Whether the newest page was read before it came, or after."""
    make_notification(ada, "Old", age=90 * MINUTE)
    page, rows = inbox()
    settle(page)  # what it asks when it connects may have it ask once more
    for number in range(25):
        missed(ada, f"Number {number}", age=(60 - number) * MINUTE)
    asked = []

    def hold(route):
        asked.append((route, route.fetch() if is_answered else None))

    page.route("**/api/notifications/*", hold, times=1)
    page.evaluate("document.dispatchEvent(new Event('notifications:refetch'))")
    eventually(lambda: page.evaluate("true") and asked)
    notify(ada, "Meanwhile")
    expect(rows).to_have_count(2)

    [(route, answer)] = asked
    route.fulfill(response=answer or route.fetch())

    listed = rows.locator("[data-slot=title]")
    expected = ["Meanwhile", *[f"Number {number}" for number in range(24, -1, -1)]]
    expect(listed).to_have_text(expected[: 21 if is_answered else 20])
    page.locator("main").get_by_role("link", name="Older notifications").click()
    expect(listed).to_have_text([*expected, "Old"])


def test_a_list_of_a_category_hides_no_gap_after_a_reset(ada, inbox):
    make_notification(ada, "Old", age=90 * MINUTE)
    page, rows = inbox("?category=general")
    settle(page)
    for number in range(25):
        missed(ada, f"Number {number}", age=(60 - number) * MINUTE)

    page.evaluate("document.dispatchEvent(new Event('notifications:refetch'))")

    listed = rows.locator("[data-slot=title]")
    expected = [f"Number {number}" for number in range(24, -1, -1)]
    expect(listed).to_have_text(expected[:20])
    page.locator("main").get_by_role("link", name="Older notifications").click()
    expect(listed).to_have_text([*expected, "Old"])


def test_a_list_of_a_rare_category_keeps_its_rows_where_nothing_was_missed(ada, inbox):
    make_notification(ada, "Rare", age=90 * MINUTE, category="rare")
    for number in range(25):
        make_notification(ada, f"Number {number}", age=(60 - number) * MINUTE)
    page, rows = inbox("?category=rare")
    settle(page)
    expect(rows).to_have_count(1)

    with page.expect_response("**/api/notifications/*"):
        page.evaluate("document.dispatchEvent(new Event('notifications:refetch'))")
    notify(ada, "After that")

    expect(page.locator("[data-badge]")).to_have_text("1")
    expect(rows.locator("[data-slot=title]")).to_have_text(["Rare"])


def test_when_all_that_is_listed_is_archived_older_ones_follow(ada, inbox):
    for number in range(22):
        make_notification(ada, f"Number {number}", age=(60 - number) * MINUTE)
    page, rows = inbox()
    expect(rows).to_have_count(20)
    main = page.locator("main")
    asked = []
    # The first; the panel, which is emptied too, asks after it.
    page.route("**/api/notifications/*", lambda route: asked.append(route), times=1)

    page.get_by_role("checkbox", name="Select all").check()
    bulk = page.get_by_role("group", name="Selected notifications")
    bulk.get_by_role("button", name="Archive").click()
    eventually(lambda: page.evaluate("true") and asked)
    expect(rows).to_have_count(0)
    expect(main.locator("[data-empty]")).to_be_hidden()
    asked.pop().continue_()

    expect(rows.locator("[data-slot=title]")).to_have_text(["Number 1", "Number 0"])
    expect(main.get_by_role("link", name="Older notifications")).to_be_hidden()
    expect(main.get_by_role("list")).to_be_focused()
    page.get_by_role("checkbox", name="Select all").check()
    bulk.get_by_role("button", name="Archive").click()
    expect(main.locator("[data-empty]")).to_be_visible()


def test_nothing_moves_under_somebody_who_reads_further_down(ada, inbox):
    """Check 18."""
    for number in range(20):
        make_notification(ada, f"Number {number}")
    page, rows = inbox()
    rows.last.scroll_into_view_if_needed()
    before = rows.last.bounding_box()["y"]

    notify(ada, "One")
    notify(ada, "Two")
    pill = page.locator("main [data-pill]")
    expect(pill).to_have_text("2 new")
    expect(pill).to_be_in_viewport()

    assert rows.last.bounding_box()["y"] == before
    pill.click()
    expect(rows.locator("[data-slot=title]").first).to_have_text("Two")
    expect(rows.first).to_be_in_viewport()
    expect(pill).to_be_hidden()


def test_what_is_read_again_moves_nothing_either(ada, inbox):
    """As after what was published before the page was made, and announced since."""
    for number in range(20):
        make_notification(ada, f"Number {number}", age=MINUTE)
    page, rows = inbox()
    settle(page)
    rows.last.scroll_into_view_if_needed()
    missed(ada, "Missed")

    with page.expect_response("**/api/notifications/*"):
        page.evaluate("document.dispatchEvent(new Event('notifications:refetch'))")

    pill = page.locator("main [data-pill]")
    expect(pill).to_have_text("1 new")
    expect(rows).to_have_count(20)
    pill.click()
    expect(rows.first).to_contain_text("Missed")


def test_what_waits_to_be_let_in_is_read_if_all_were_marked_elsewhere(ada, inbox):
    for number in range(20):
        make_notification(ada, f"Number {number}")
    page, rows = inbox()
    rows.last.scroll_into_view_if_needed()
    notify(ada, "Waiting")
    pill = page.locator("main [data-pill]")
    expect(pill).to_have_text("1 new")

    Inbox(ada).mark_all_read()
    expect(rows.last).to_have_attribute("data-read", "")
    pill.click()

    expect(rows.first).to_contain_text("Waiting")
    expect(rows.first).to_have_attribute("data-read", "")


def test_ticked_ones_are_marked_and_archived_together(ada, inbox):
    for title in ["One", "Two", "Three"]:
        make_notification(ada, title)
    page, rows = inbox()
    bulk = page.get_by_role("group", name="Selected notifications")
    expect(bulk.get_by_role("button", name="Archive")).to_be_hidden()

    row(rows, "One").get_by_role("checkbox").check()
    row(rows, "Three").get_by_role("checkbox").check()
    bulk.get_by_role("button", name="Mark as read").click()
    eventually(lambda: titles(ada, View.UNREAD) == ["Two"])
    bulk.get_by_role("button", name="Archive").click()

    expect(rows.locator("[data-slot=title]")).to_have_text(["Two"])
    eventually(lambda: titles(ada) == ["Two"])


@pytest.fixture
def many(ada, inbox):
    """One more than one request may have: return a page and rows, all ticked."""
    make_notifications(ada, 501)
    page, rows = inbox(expecting=["500"])
    settle(page)
    page.evaluate(
        """async () => {
            const list = document.querySelector("main notification-list");
            let next = "";
            while (next !== null) {
                const query = new URLSearchParams({ limit: 100, before: next });
                const page = await fetch(`${list.dataset.list}?${query}`);
                const answer = await page.json();
                for (const notification of answer.notifications)
                    if (!list.row(notification.id)) list.add(notification);
                next = answer.next;
            }
            list.goOnFrom(null);
        }"""
    )
    expect(rows).to_have_count(501)
    page.get_by_role("checkbox", name="Select all").check()
    return page, rows


def test_more_are_archived_together_than_one_request_may_have(ada, many):
    page, rows = many
    main = page.locator("main")

    main.locator("[data-bulk]").get_by_role("button", name="Archive").click()

    eventually(lambda: Inbox(ada).counts().unread == 0)
    expect(rows).to_have_count(0)
    main.get_by_role("button", name="Undo").click()
    eventually(lambda: Inbox(ada).counts().unread == 501)
    expect(rows).to_have_count(501)


def test_of_many_those_stay_ticked_that_could_not_be_archived(ada, many):
    page, rows = many
    main = page.locator("main")
    archive = main.locator("[data-bulk]").get_by_role("button", name="Archive")
    answers = [None, 500]

    def fulfill(route):
        status = answers.pop(0)
        route.fulfill(status=status) if status else route.continue_()

    page.route("**/api/archived/", fulfill, times=2)
    archive.click()

    problem = "That could not be saved. Try again."
    expect(main.get_by_role("alert")).to_have_text(problem)
    expect(rows).to_have_count(1)
    assert Inbox(ada).counts().unread == 1
    archive.click()
    expect(rows).to_have_count(0)
    eventually(lambda: Inbox(ada).counts().unread == 0)


def test_one_box_ticks_all(ada, inbox):
    for title in ["One", "Two"]:
        make_notification(ada, title)
    page, rows = inbox()

    page.get_by_role("checkbox", name="Select all").check()

    expect(rows.get_by_role("checkbox", checked=True)).to_have_count(2)


def test_the_list_is_worked_through_with_keys(ada, inbox):
    """Check 33."""
    for title in ["Third", "Second", "First"]:
        make_notification(ada, title, url="/users/")
    page, rows = inbox()
    row(rows, "First").get_by_role("link").focus()

    page.keyboard.press("j")
    expect(row(rows, "Second").get_by_role("link")).to_be_focused()
    page.keyboard.press("u")
    eventually(lambda: titles(ada, View.UNREAD) == ["First", "Third"])
    page.keyboard.press("ArrowDown")
    expect(row(rows, "Third").get_by_role("link")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("e")

    eventually(lambda: titles(ada) == ["First", "Third"])
    expect(row(rows, "Third").get_by_role("link")).to_be_focused()


def test_keys_do_nothing_in_a_field_nor_where_they_are_off(ada, inbox):
    """Check 33."""
    make_notification(ada, "One", url="/users/")
    page, rows = inbox()

    page.get_by_role("searchbox").press("e")
    page.locator("main").evaluate("main => { main.dataset.keys = 'off'; }")
    rows.get_by_role("link").press("e")

    expect(page.get_by_role("searchbox")).to_have_value("e")
    expect(rows).to_have_count(1)
    assert titles(ada) == ["One"]


def test_days_are_named_once_and_in_the_browsers_time_zone(ada, inbox):
    """Check 20."""
    make_notification(ada, "Long ago", age=timedelta(days=9))
    make_notification(ada, "Also long ago", age=timedelta(days=9, minutes=1))
    make_notification(ada, "Now")
    _, rows = inbox(timezone_id="Pacific/Kiritimati", locale="en-GB")
    days = rows.locator("[data-slot=day]:visible")

    expect(days).to_have_count(2)
    expect(days.first).to_have_text("Today")
    notify(ada, "Just now")
    expect(row(rows, "Just now").locator("[data-slot=day]")).to_have_text("Today")
    expect(days).to_have_count(2)


def test_a_search_and_a_category_work_without_a_script(ada, inbox, open_page):
    make_notification(ada, "Invoice 1")
    make_notification(ada, "Hello")
    page = open_page(ada, "/notifications/", java_script_enabled=False)

    page.get_by_role("searchbox").fill("invoice")
    page.get_by_role("button", name="Search").click()

    expect(page.locator("main [data-slot=title]")).to_have_text(["Invoice 1"])
    expect(page.get_by_role("searchbox")).to_have_value("invoice")
