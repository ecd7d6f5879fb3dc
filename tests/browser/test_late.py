"""What is answered late: to a page that is by now somebody else's, or nobody's."""

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from notifications.api import notify
from notifications.bus import bus
from notifications.revocation import digest
from tests.factories import log_in, make_notification
from tests.waiting import eventually

from .pages import badge, settle, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

LIST = "**/api/notifications/*"
# In Trusted Types' place: a page is parsed as libraries do that swap pages.
where_pages_may_be_swapped = pytest.mark.parametrize(
    "site_settings",
    [{"TEST_POLICY": "default-src 'self'; style-src 'self' 'unsafe-inline'"}],
)


def hold(page, pattern):
    """Keep the first request waiting, and let others pass; return where it will be."""
    held = []
    page.route(pattern, lambda route: route.continue_() if held else held.append(route))
    return held


def the_one(page, held):
    # Playwright hears of requests only while it is spoken to.
    eventually(lambda: page.evaluate("true") and held)
    return held[0]


def answer(page, route, **fields):
    """Answer *route*, and wait until *page* has heard that."""
    with page.expect_event("requestfinished", lambda one: one == route.request):
        route.fulfill(**fields)
    page.evaluate("fetch('/users/').then(answer => answer.text())")


def refetch(page):
    page.evaluate("document.dispatchEvent(new CustomEvent('notifications:refetch'))")


def sign_out(page):
    """End the only session there is, as on another page."""
    key = Session.objects.get().session_key
    Session.objects.all().delete()
    bus.send("logout", session=digest(key))
    wait_for_status(page, "signed-out")


def titles(page):
    return page.locator("[data-rows] [data-slot=title]").all_text_contents()


@pytest.fixture
def page(ada, open_page):
    for number in range(25):
        make_notification(ada, f"Private {number}")
    page = open_page(ada, "/notifications/", expecting=["401", "403"])
    wait_for_status(page, "open")
    settle(page)
    return page


@pytest.mark.parametrize("what", ["newest", "older"])
def test_what_was_asked_before_signing_out_is_shown_to_nobody(page, what):
    held = hold(page, LIST)
    if what == "newest":
        refetch(page)
    else:
        page.locator("main").get_by_role("link", name="Older notifications").click()
    private = the_one(page, held).fetch()

    sign_out(page)
    expect(page.locator("[data-rows] [data-notification]")).to_have_count(0)
    answer(page, held[0], response=private)

    assert titles(page) == []
    expect(page.locator("main [data-more]")).to_be_hidden()


def test_what_could_not_be_archived_before_signing_out_stays_away(page):
    held = hold(page, "**/api/archived/")
    page.locator("main").get_by_role("button", name="Archive").first.click()
    the_one(page, held)

    sign_out(page)
    answer(page, held[0], status=401, json={})

    assert titles(page) == []


def test_what_was_said_is_not_left_in_the_page_of_nobody(ada, page):
    notify(ada, "Private words")
    expect(page.locator("[data-announce]").first).to_have_text("Private words")

    sign_out(page)

    expect(page.locator("body")).not_to_contain_text("Private words")


@where_pages_may_be_swapped
@pytest.mark.parametrize("how", ["rows", "401"])
def test_an_answer_for_who_was_there_before_is_not_for_who_is_now(
    how, ada, bob, open_page, site
):
    make_notification(ada, "Only for Ada")
    make_notification(bob, "Only for Bob")
    page = open_page(ada, expecting=["401"])
    wait_for_status(page, "open")
    settle(page)
    held = hold(page, LIST)
    refetch(page)
    private = the_one(page, held).fetch()

    [(name, value)] = log_in(bob).items()
    page.context.add_cookies([{"name": name, "value": value, "url": site.url}])
    # As Turbo does.
    page.evaluate(
        """async () => {
            window.shown = [];
            new MutationObserver(() => {
                const titles = document.querySelectorAll("[data-slot=title]");
                shown.push(...[...titles].map(title => title.textContent));
            }).observe(document.documentElement, { childList: true, subtree: true });
            const html = await (await fetch("/")).text();
            const next = new DOMParser().parseFromString(html, "text/html");
            document.body.replaceWith(document.adoptNode(next.body));
        }"""
    )
    eventually(lambda: site.streams_of(bob) == 1)
    fields = {"response": private} if how == "rows" else {"status": 401, "json": {}}
    answer(page, held[0], **fields)

    notify(bob, "For Bob, too")
    expect(badge(page)).to_have_text("2")
    listed = page.locator("[data-rows] [data-slot=title]")
    expect(listed).to_have_text(["For Bob, too", "Only for Bob"])
    assert "Only for Ada" not in page.evaluate("shown")
