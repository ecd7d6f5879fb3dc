"""However the news of a change was lost, the page ends up equal to the table."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from notifications import clock, outbox
from notifications.api import notify
from notifications.inbox import Inbox
from notifications.models import Notification
from tests.factories import make_notification
from tests.waiting import eventually

from .pages import badge, bell, on_both_rungs, rows, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

STATE = "**/api/state/*"


def shown(page):
    """Return what the inbox page lists, at one moment: ``{title: read}``."""
    rows = page.locator("main [data-rows] [data-notification]:visible")
    return dict(
        rows.evaluate_all(
            """rows => rows.map(row => [
                row.querySelector("[data-slot=title]").textContent,
                row.hasAttribute("data-read"),
            ])"""
        )
    )


def stored(user):
    items = Inbox(user).page(100).items
    return {row.title: row.is_read for row in items}


def change_everything(user):
    """Read one, unread one, recall one, and have one arrive."""
    read, unread, recalled = Notification.objects.order_by("pk")
    Inbox(user).mark_read([read.pk])
    Inbox(user).mark_unread([unread.pk])
    Notification.objects.filter(pk=recalled.pk).update(expires_at=clock.now())
    outbox.poke_on_commit()
    notify(user, "Arrived meanwhile")


@pytest.fixture
def page(ada, site, open_page):
    for title in ("To be read", "To be unread", "To be recalled"):
        make_notification(ada, title, age=timedelta(hours=1))
    Inbox(ada).mark_read([Notification.objects.get(title="To be unread").pk])
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")
    eventually(lambda: site.counts["healthy"])
    assert shown(page) == stored(ada)
    return page


def heals(page, user):
    eventually(lambda: shown(page) == stored(user), within=20)
    assert shown(page) == {
        "Arrived meanwhile": False,
        "To be unread": False,
        "To be read": True,
    }
    page.reload()
    assert shown(page) == stored(user)


def test_after_redis_was_away_the_page_equals_the_table(ada, page, redis_server, site):
    redis_server.freeze()
    change_everything(ada)
    eventually(lambda: not site.counts["healthy"], within=20)
    redis_server.thaw()

    heals(page, ada)


def test_after_the_page_was_away_it_equals_the_table(ada, page):
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    wait_for_status(page, "closed")
    change_everything(ada)
    page.evaluate(
        "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    )

    heals(page, ada)


def test_a_change_on_another_device_is_followed_at_once(ada, page):
    change_everything(ada)

    heals(page, ada)
    expect(badge(page)).to_be_hidden()


@on_both_rungs
def test_what_is_put_away_between_rendering_and_connecting_is_gone(ada, open_page):
    read, unread = (make_notification(ada, title) for title in ("Read", "Unread"))
    Inbox(ada).mark_read([read.pk])
    page = open_page(ada, "about:blank")
    requests = []

    def put_away(route):
        requests.append(route.request.url)
        Inbox(ada).archive([read.pk, unread.pk])
        route.continue_()

    # The last script of the page, which connects it, is on its way meanwhile.
    page.route("**/connection.js", put_away)
    page.goto("/notifications/")

    expect(rows(page)).to_have_count(0)
    assert len(requests) == 1


def test_what_came_between_two_queries_for_one_page_is_in_both_its_lists(
    ada, open_page
):
    make_notification(ada, "Before", age=timedelta(hours=1))
    page = open_page(ada)  # from now on there is the cookie of a token

    def meanwhile(route):
        """As if the list were rendered, and then this announced, and then the bell."""
        before = route.fetch().text()
        notify(ada, "Between")
        after = route.fetch().text()
        end = "</header>"
        at = {html: html.index(end) for html in (before, after)}
        html = after[: at[after]] + before[at[before] :]
        route.fulfill(body=html, content_type="text/html")

    page.route("**/notifications/", meanwhile, times=1)
    page.goto("/notifications/")

    wait_for_status(page, "open")
    eventually(lambda: shown(page) == stored(ada))
    assert len(stored(ada)) == 2


def test_a_count_that_was_overtaken_takes_nothing_back(ada, open_page):
    page = open_page(ada, "about:blank")
    held = []
    # The first: it asks once more if it is told that the wire is back.
    page.route(STATE, lambda route: held.append((route, route.fetch())), times=1)
    page.goto("/")
    eventually(lambda: page.title() and held, within=15)
    notify(ada, "Since then")
    expect(bell(page, "Notifications, 1 unread")).to_be_visible()

    # The server counted before that.
    [(route, answer)] = held
    assert answer.json()["unread"] == 0
    page.evaluate(
        """document.addEventListener(
            "notifications:state", () => { window.answered = true; }, { once: true }
        )"""
    )
    route.fulfill(response=answer)

    eventually(lambda: page.evaluate("window.answered"))
    assert badge(page).inner_text() == "1"
    expect(bell(page, "Notifications, 1 unread")).to_be_visible()
    panel = page.locator("notification-list")
    assert panel.get_attribute("data-unseen") == "1"  # it is told when it is seen
    assert panel.locator("[data-all]").get_attribute("hidden") is None
