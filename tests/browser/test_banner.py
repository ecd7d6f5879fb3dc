"""Banners: put up, put away, corrected and recalled while the page is open."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from notifications import broadcasts, clock
from notifications.api import broadcast
from notifications.inbox import Inbox
from notifications.models import Broadcast
from tests.waiting import patience

from .pages import badge, on_both_rungs, rows, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

PATH = "/banner/"


def banners(page):
    return page.get_by_role("list", name="Notices").get_by_role("listitem")


def put_up(title, **fields):
    return broadcast(title, placement="banner", **fields)


def stored(row):
    return Broadcast.objects.get(pk=row.pk)


@on_both_rungs
def test_a_banner_comes_changes_and_goes_while_the_page_is_open(ada, open_page):
    page = open_page(ada, PATH)
    wait_for_status(page, "open")
    expect(banners(page)).to_have_count(0)

    first = put_up("Maintenance at 8", body="For ten minutes.", level=30, url="/help/")
    expect(banners(page)).to_contain_text(["Warning: Maintenance at 8"])
    expect(banners(page)).to_contain_text(["For ten minutes."])
    expect(banners(page).get_by_role("link")).to_have_attribute("href", "/help/")

    put_up("<img src=x onerror=alert(1)>")
    expect(banners(page)).to_contain_text(
        ["<img src=x onerror=alert(1)>", "Maintenance at 8"]
    )

    broadcasts.correct(stored(first), title="Maintenance at 9")
    expect(banners(page)).to_contain_text(
        ["<img src=x onerror=alert(1)>", "Maintenance at 9"]
    )

    broadcasts.recall(stored(first))
    expect(banners(page)).to_have_count(1, timeout=patience(2000))


def test_who_puts_it_away_has_done_so_everywhere(ada, bob, open_page):
    row = put_up("Maintenance at 8")
    page, tab = open_page(ada, PATH), open_page(ada, PATH)
    phone = open_page(ada, PATH, device="phone")
    other = open_page(bob, PATH)
    for each in (page, tab, phone, other):
        wait_for_status(each, "open")
        expect(banners(each)).to_have_count(1)

    banners(page).get_by_role("button", name="Put away").click()

    for each in (page, tab, phone):
        expect(banners(each)).to_have_count(0)
    expect(banners(other)).to_have_count(1)
    page.reload()
    expect(banners(page)).to_have_count(0)
    assert stored(row).receipts.get().archived_at


def test_one_that_was_put_away_stays_so_when_it_is_corrected(ada, open_page):
    """Also where no bell reads everything again."""
    away, other = put_up("Maintenance at 8"), put_up("A new office")
    Inbox(ada).archive([away.pk])
    page = open_page(ada, "/banners/")
    wait_for_status(page, "open")
    expect(banners(page)).to_contain_text(["A new office"])

    broadcasts.correct(stored(away), title="Maintenance at 9")
    page.wait_for_function("id => had.includes(id)", arg=away.pk)

    expect(banners(page)).to_have_count(1)
    expect(banners(page)).to_contain_text(["A new office"])
    assert other.pk not in page.evaluate("had")


def test_one_that_may_not_be_put_away_has_no_button_and_stays(ada, open_page):
    row = put_up(
        "Maintenance at 8",
        dismissible=False,
        expires_at=clock.now() + timedelta(hours=1),
    )
    page = open_page(ada, PATH)
    wait_for_status(page, "open")

    expect(banners(page).get_by_role("button")).to_have_count(0)
    Inbox(ada).archive([row.pk])
    expect(badge(page)).to_be_hidden()

    expect(banners(page)).to_have_count(1)
    page.reload()
    expect(banners(page)).to_have_count(1)


def test_what_could_not_be_put_away_is_up_again_and_says_so(ada, open_page):
    put_up("Maintenance at 8")
    page = open_page(ada, PATH, expecting=["500"])
    wait_for_status(page, "open")
    page.route("**/api/archived/", lambda route: route.fulfill(status=500))

    banners(page).get_by_role("button", name="Put away").click()

    expect(page.locator("notification-banners").get_by_role("alert")).to_have_text(
        "That could not be saved. Try again."
    )
    expect(banners(page)).to_have_count(1)


def test_it_is_put_away_without_javascript(ada, open_page):
    put_up("Maintenance at 8")
    page = open_page(ada, PATH, java_script_enabled=False)

    banners(page).get_by_role("button", name="Put away").click()

    expect(page).to_have_url(f"{page.url.partition('/banner/')[0]}{PATH}")
    expect(banners(page)).to_have_count(0)


def test_it_is_in_the_inbox_too_and_is_no_toast(ada, open_page):
    page = open_page(ada, "/notifications/")
    toasts = open_page(ada, "/toasts/")
    for each in (page, toasts):
        wait_for_status(each, "open")

    put_up("Maintenance at 8")

    expect(rows(page)).to_contain_text(["Maintenance at 8"])
    expect(badge(toasts)).to_have_text("1")
    expect(toasts.locator("notification-toast")).to_have_count(0)
