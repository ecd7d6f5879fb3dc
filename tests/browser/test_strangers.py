"""One browser, two people: what is the one's never reaches a page of the other."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from notifications.api import broadcast, notify
from notifications.inbox import Inbox
from tests.factories import make_notification, make_user
from tests.waiting import eventually

from .pages import (
    STREAM,
    badge,
    equal_the_table,
    hide,
    look_at,
    on_both_rungs,
    rows,
    status,
    wait_for_status,
)

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

GONE_SECONDS = 5.0
PASSWORD = "correct horse"


@pytest.fixture
def bob(db):
    """Somebody who may use the admin's login page, the only one there is."""
    return make_user("bob", is_staff=True, password=PASSWORD)


def sign_in_over(page, user):
    """Sign in on *page* without signing out who is signed in."""
    page.get_by_label("Username").fill(user.get_username())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")


def sign_out_and_in_again(page, user, *, old):
    """Do so in *page*, and wait until *old* has the token of the new login."""
    stream = old.locator("notification-stream").first
    token = stream.get_attribute("data-token")
    page.goto("/admin/")
    page.get_by_role("button", name="Log out").click()
    page.goto("/admin/login/")
    sign_in_over(page, user)
    expect(stream).not_to_have_attribute("data-token", token)


def nothing_of(user, page):
    """Check that *page* shows nothing, and never received a thing of *user*."""
    wait_for_status(page, "signed-out")
    expect(badge(page)).to_be_hidden()
    expect(page.locator("[data-rows] [data-notification]")).to_have_count(0)
    mine = {row.pk for row in user.notifications.all()}
    assert mine.isdisjoint(page.evaluate("had"))


# Check 11
@on_both_rungs
def test_an_old_tab_gets_nothing_of_who_signs_in_after(ada, bob, open_page, site, rung):
    make_notification(ada, "Only for Ada")
    old = open_page(ada, expecting=["401"])
    wait_for_status(old, "open")
    page = open_page(ada, "/admin/login/")

    sign_in_over(page, bob)
    page.goto("/")

    eventually(lambda: site.streams_of(ada) == 0, within=GONE_SECONDS)
    wait_for_status(page, "open")
    notify(bob, "Only for Bob")
    expect(badge(page)).to_have_text("1")
    notify(ada, "Also only for Ada")
    nothing_of(bob, old)
    assert site.streams_of(ada) == 0
    # That of the admin's first page ends with it, at its time.
    eventually(lambda: site.streams_of(bob) == 1)
    old.bring_to_front()
    old.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    old.evaluate("document.dispatchEvent(new CustomEvent('notifications:refetch'))")
    nothing_of(bob, old)
    assert page.locator("[data-rows] [data-slot=title]").all_text_contents() == [
        "Only for Bob"
    ]


# Check 11
@on_both_rungs
def test_a_page_restored_after_another_signed_in_gets_nothing_of_theirs(
    ada, bob, open_page, site, rung
):
    make_notification(ada, "Only for Ada")
    page = open_page(ada, expecting=["401"])
    wait_for_status(page, "open")
    other = open_page(ada, "about:blank")
    page.goto("/admin/login/")
    sign_in_over(page, bob)
    other.goto("/")
    wait_for_status(other, "open")
    notify(bob, "Only for Bob")
    expect(badge(other)).to_have_text("1")

    page.evaluate("history.go(-2)")

    page.wait_for_url(f"{site.url}/", wait_until="commit")
    assert page.evaluate("kept"), "The page did not come from the cache."
    notify(bob, "Also only for Bob")
    expect(badge(other)).to_have_text("2")
    nothing_of(bob, page)
    assert site.streams_of(ada) == 0


# Check 11
def test_who_signs_in_after_signing_out_sees_their_own(staff, bob, open_page, site):
    make_notification(staff, "Private")
    old = open_page(staff, expecting=["401"])
    wait_for_status(old, "open")
    page = open_page(staff, "/admin/", expecting=["401"])

    page.get_by_role("button", name="Log out").click()
    eventually(lambda: site.streams_of(staff) == 0, within=GONE_SECONDS)
    nothing_of(bob, old)
    page.goto("/admin/login/")
    sign_in_over(page, bob)

    old.reload()
    wait_for_status(old, "open")
    notify(bob, "Only for Bob")
    expect(badge(old)).to_have_text("1")
    assert site.streams_of(bob) == 1
    assert site.streams_of(staff) == 0


def test_who_signs_in_again_finds_in_an_old_tab_what_was_there(bob, open_page):
    make_notification(bob, "Private")
    old = open_page(bob, "/notifications/")
    wait_for_status(old, "open")

    sign_out_and_in_again(open_page(bob, "/admin/", expecting=["401"]), bob, old=old)

    assert "signed-out" in old.evaluate("told")
    equal_the_table([old], bob)
    old.locator("main").get_by_role("button", name="Mark all as read").click()
    eventually(lambda: Inbox(bob).counts().unread == 0)


def test_who_signs_in_again_can_put_a_banner_away_in_an_old_tab(bob, open_page):
    old = open_page(bob, "/banner/")
    wait_for_status(old, "open")
    sign_out_and_in_again(open_page(bob, "/admin/", expecting=["401"]), bob, old=old)

    row = broadcast("Maintenance at 8", placement="banner")
    banners = old.get_by_role("list", name="Notices").get_by_role("listitem")
    banners.get_by_role("button", name="Put away").click()

    expect(banners).to_have_count(0)
    eventually(lambda: row.receipts.filter(archived_at__isnull=False).exists())


def test_who_signs_in_again_finds_in_an_old_tab_what_was_archived(bob, open_page):
    row = make_notification(bob, "Put away")
    Inbox(bob).archive([row.pk])
    old = open_page(bob, "/notifications/?view=archived")
    wait_for_status(old, "open")
    nothing = old.locator("main").get_by_text("Nothing archived.")

    sign_out_and_in_again(open_page(bob, "/admin/", expecting=["401"]), bob, old=old)

    assert "signed-out" in old.evaluate("told")
    expect(old.locator("main [data-rows] [data-slot=title]")).to_have_text("Put away")
    expect(nothing).to_be_hidden()


def test_older_ones_that_a_page_cleared_are_back_when_it_is_looked_at(bob, open_page):
    for number in range(42):
        make_notification(bob, f"Number {number}", age=timedelta(minutes=60 - number))
    before = Inbox(bob).page(20).next
    page = open_page(bob, f"/notifications/?before={before}", expecting=["401"])
    wait_for_status(page, "open")
    tell_401(page)

    hide(page)
    look_at(page)

    listed = page.locator("main [data-rows] [data-slot=title]")
    expected = [f"Number {number}" for number in range(21, -1, -1)]
    expect(listed).to_have_text(expected[:20])
    page.locator("main").get_by_role("link", name="Older notifications").click()
    expect(listed).to_have_text(expected)


def sign_in_beside(page, user):
    """Sign in once more, as who had the login page open still; no stream ends."""
    page.evaluate(
        """([username, password]) => {
            const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
            const fields = { username, password, csrfmiddlewaretoken: token };
            const body = new URLSearchParams(fields);
            return fetch("/admin/login/?next=/users/", { method: "POST", body });
        }""",
        [user.get_username(), PASSWORD],
    )


def test_who_signed_in_once_more_can_save_when_they_try_again(bob, open_page):
    make_notification(bob, "Unread")
    old = open_page(bob, "/notifications/", expecting=["403"])
    wait_for_status(old, "open")
    stream = old.locator("notification-stream").first
    token = stream.get_attribute("data-token")
    sign_in_beside(open_page(bob), bob)

    main = old.locator("main")
    main.get_by_role("button", name="Mark all as read").click()
    expect(main.get_by_text("That could not be saved. Try again.")).to_be_visible()
    expect(stream).not_to_have_attribute("data-token", token)
    main.get_by_role("button", name="Mark all as read").click()

    eventually(lambda: Inbox(bob).counts().unread == 0)


def test_who_signed_in_once_more_can_put_a_banner_away_when_they_try_again(
    bob, open_page
):
    row = broadcast("Maintenance at 8", placement="banner")
    old = open_page(bob, "/banner/", expecting=["403"])
    wait_for_status(old, "open")
    stream = old.locator("notification-stream").first
    token = stream.get_attribute("data-token")
    sign_in_beside(open_page(bob), bob)

    old.get_by_role("button", name="Put away").click()
    expect(stream).not_to_have_attribute("data-token", token)
    old.get_by_role("button", name="Put away").click()

    eventually(lambda: row.receipts.filter(archived_at__isnull=False).exists())


def tell_401(page):
    """Have *page* be told that nobody is signed in, when it reads its list again."""
    page.route(
        "**/api/notifications/*",
        lambda route: route.fulfill(status=401, json={}),
        times=1,
    )
    page.evaluate("document.dispatchEvent(new CustomEvent('notifications:refetch'))")
    wait_for_status(page, "signed-out")
    expect(rows(page)).to_have_count(0)


def test_a_page_that_was_told_401_comes_back_when_it_is_looked_at(bob, open_page):
    make_notification(bob, "Private")
    page = open_page(bob, "/notifications/", expecting=["401"])
    wait_for_status(page, "open")
    tell_401(page)

    hide(page)
    look_at(page)

    equal_the_table([page], bob)


def until_polling(page):
    """Let the time go by in which *page* tries to stream, again and again."""
    eventually(lambda: page.clock.run_for(500) or status(page) == "polling", within=15)


@pytest.fixture
def open_polling(open_page):
    """Return a function that opens the inbox of a user where nothing streams."""

    def open_polling(user):
        page = open_page(user, "about:blank", expecting=["401", "501"])
        page.clock.install()
        page.route(STREAM, lambda route: route.fulfill(status=501, json={}))
        page.goto("/notifications/")
        until_polling(page)
        return page

    return open_polling


@pytest.mark.parametrize("rung", ["tab"])
def test_a_page_that_polls_has_its_list_back_after_signing_in_again(
    bob, open_polling, rung
):
    make_notification(bob, "Private", age=timedelta(minutes=10))
    page = open_polling(bob)
    tell_401(page)

    hide(page)
    look_at(page)
    until_polling(page)

    equal_the_table([page], bob)


@pytest.mark.parametrize("rung", ["tab"])
def test_older_ones_in_an_old_tab_are_not_those_of_who_signed_in_after(
    ada, bob, open_page, open_polling, rung
):
    """Before it has heard of that, as it polls only once a minute."""
    for number in range(21):
        make_notification(ada, "Only for Ada", age=timedelta(minutes=10 + number))
    make_notification(bob, "Only for Bob", age=timedelta(days=1))
    old = open_polling(ada)
    old.route("**/api/state/*", lambda route: None)  # so it does not hear of it
    sign_in_over(open_page(ada, "/admin/login/"), bob)

    main = old.locator("main")
    main.get_by_role("link", name="Older notifications").click()

    expect(main.get_by_role("alert")).to_have_text(
        "Older notifications could not be loaded."
    )
    listed = main.locator("[data-rows] [data-slot=title]")
    expect(listed).to_have_text(["Only for Ada"] * 20)


def test_two_people_in_two_browsers_share_nothing(ada, bob, open_page, site):
    pages = {ada: open_page(ada), bob: open_page(bob)}
    for page in pages.values():
        wait_for_status(page, "open")

    for user in pages:
        notify(user, f"For {user.get_username()}")

    for user, page in pages.items():
        expect(badge(page)).to_have_text("1")
        page.get_by_role("button", name="Notifications, 1 unread").click()
        expect(rows(page)).to_contain_text([f"For {user.get_username()}"])
    assert site.streams == 2
