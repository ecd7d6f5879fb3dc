"""Without JavaScript: links and forms do all of it, and links change nothing."""

import pytest
from playwright.sync_api import expect

from notifications.inbox import Filter, Inbox, View
from notifications.models import InboxState
from tests.factories import make_notification

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]


@pytest.fixture
def plain(ada, open_page):
    """Return a function that opens ada's page at *path*, without a script."""

    def plain(path):
        return open_page(ada, path, java_script_enabled=False)

    return plain


def titles(user, view=View.ALL):
    return {row.title for row in Inbox(user).page(100, where=Filter(view)).items}


def state(user):
    """Return all that a page might change of what is stored."""
    shown = [
        [(row.pk, row.is_read) for row in Inbox(user).page(100, where=where).items]
        for where in (Filter(), Filter(View.ARCHIVED))
    ]
    return shown, list(InboxState.objects.values())


def test_the_bell_is_a_link_with_a_count_to_an_inbox_that_works(ada, plain):
    """Check 34."""
    for number in range(23):
        make_notification(ada, f"Number {number}.", url="/users/")
    page = plain("/")
    link = page.get_by_role("link", name="Notifications, 23 unread")
    expect(link).to_contain_text("23")
    link.click()
    page.wait_for_url("**/notifications/")
    main = page.locator("main")
    rows = main.locator("[data-rows] [data-notification]")
    expect(rows).to_have_count(20)

    first = rows.filter(has_text="Number 22.")
    first.get_by_role("button", name="Mark as read").click()
    assert "Number 22." not in titles(ada, View.UNREAD)
    first.get_by_role("button", name="Mark as unread").click()
    assert "Number 22." in titles(ada, View.UNREAD)
    first.get_by_role("button", name="Archive").click()
    assert titles(ada, View.ARCHIVED) == {"Number 22."}

    for number in (21, 20):
        rows.filter(has_text=f"Number {number}.").get_by_role("checkbox").check()
    bulk = page.get_by_role("group", name="Selected notifications")
    bulk.get_by_role("button", name="Mark as read").click()
    assert len(titles(ada, View.UNREAD)) == 20

    page.get_by_role("link", name="Unread", exact=True).click()
    expect(rows.first).to_contain_text("Number 19.")
    page.get_by_role("link", name="All", exact=True).click()
    main.get_by_role("link", name="Older notifications").click()
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("Number 0.")
    main.get_by_role("link", name="Newest").click()
    expect(rows).to_have_count(20)

    page.get_by_role("link", name="Archived", exact=True).click()
    rows.get_by_role("button", name="Move to inbox").click()
    assert titles(ada, View.ARCHIVED) == set()
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_role("searchbox").fill("number 19")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    main.get_by_role("button", name="Mark all as read").click()
    assert titles(ada, View.UNREAD) == set()
    expect(page.locator("[data-toggle]")).to_have_attribute(
        "aria-label", "Notifications"
    )


def test_nothing_changes_by_following_links(ada, plain):
    """Check 34: not by any address of a form either."""
    for number in range(22):
        make_notification(ada, f"Number {number}.", url="/users/")
    Inbox(ada).archive([Inbox(ada).page().items[0].pk])
    before = state(ada)
    page = plain("/notifications/")
    # Playwright's own scripts run all the same.
    addresses = page.locator("a[href], button[formaction], form").evaluate_all(
        """elements => [...new Set(elements.map((element) =>
            element.href ?? (element.formAction || element.action)))]"""
    )
    assert len(addresses) > 8

    for address in addresses:
        status = page.request.get(address).status
        assert status in {200, 405}, (address, status)

    assert state(ada) == before
