"""How a page keeps its one stream: left, cut, refused, ended, signed out."""

import signal
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.inbox import Inbox
from tests.factories import make_notification
from tests.waiting import eventually

from .pages import STREAM, badge, bell, rows, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]


def test_a_page_left_behind_holds_no_stream_and_catches_up_on_return(
    ada, open_page, site
):
    page = open_page(ada)
    wait_for_status(page, "open")
    page.evaluate("addEventListener('pageshow', e => { window.kept = e.persisted })")

    page.goto("/users/")

    eventually(lambda: site.streams == 0)
    notify(ada, "While you were away")
    page.go_back(wait_until="commit")  # from the cache, nothing is loaded
    expect(badge(page)).to_have_text("1", timeout=5000)
    assert page.evaluate("window.kept"), "The page did not come from the cache."
    eventually(lambda: site.streams == 1)


def test_elements_inserted_later_share_the_stream(ada, open_page, site):
    page = open_page(ada)
    wait_for_status(page, "open")

    page.evaluate(
        """() => {
            for (const element of document.querySelectorAll(
                "notification-bell, notification-stream"
            )) document.body.append(element.cloneNode(true));
        }"""
    )
    notify(ada, "For both")

    expect(badge(page)).to_have_text(["1", "1"])
    assert site.streams == 1


def test_a_page_without_the_elements_any_more_holds_no_stream(ada, open_page, site):
    page = open_page(ada)
    wait_for_status(page, "open")

    page.evaluate("document.querySelector('notification-stream').remove()")

    eventually(lambda: site.streams == 0)


def test_the_page_comes_back_when_the_server_does(ada, open_page, site):
    page = open_page(ada, expecting=["Failed to load resource", "net::ERR_"])
    wait_for_status(page, "open")

    site.kill()
    wait_for_status(page, "reconnecting")
    notify(ada, "During the deploy")
    site.start()

    expect(badge(page)).to_have_text("1")
    wait_for_status(page, "open")
    bell(page, "Notifications, 1 unread").click()
    expect(rows(page)).to_contain_text(["During the deploy"])


def test_what_was_read_elsewhere_while_the_page_was_away_is_read_here(ada, open_page):
    row = make_notification(ada, "Read me", age=timedelta(hours=1))
    page, other = open_page(ada, "/notifications/"), open_page(ada, "/notifications/")
    for each in (page, other):
        wait_for_status(each, "open")

    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    wait_for_status(page, "closed")
    Inbox(ada).mark_read([row.pk])
    expect(other.locator("main [data-notification]")).to_have_attribute("data-read", "")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow'))")

    expect(page.locator("main [data-notification]")).to_have_attribute("data-read", "")


def test_the_page_comes_back_after_a_refusal_that_ends_an_event_source(ada, open_page):
    page = open_page(ada, "about:blank", expecting=["502"])
    refusals = [502, 502]

    def refuse(route):
        if refusals:
            route.fulfill(status=refusals.pop())
        else:
            route.continue_()

    page.route(STREAM, refuse)
    page.goto("/")

    wait_for_status(page, "open")
    assert refusals == []


@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_HEARTBEAT_SECONDS": 0.2}])
def test_a_silent_stream_is_taken_for_dead(ada, open_page, site):
    page = open_page(ada, expecting=["net::ERR_"])
    wait_for_status(page, "open")

    site.signal(signal.SIGSTOP)

    wait_for_status(page, "reconnecting")
    site.signal(signal.SIGCONT)
    wait_for_status(page, "open")


@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_MAX_STREAMS_PER_USER": 1}])
def test_a_page_that_lost_its_place_does_not_fight_for_it(ada, open_page, site):
    first = open_page(ada)
    wait_for_status(first, "open")

    second = open_page(ada)

    wait_for_status(first, "polling")
    wait_for_status(second, "open")
    notify(ada, "For who is there")
    expect(badge(second)).to_have_text("1")
    assert site.streams == 1
    first.evaluate("document.dispatchEvent(new CustomEvent('notifications:refetch'))")
    expect(badge(first)).to_have_text("1")


@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_STREAM_SECONDS": 0.5}])
def test_each_arrives_once_however_often_the_stream_ends_of_age(ada, open_page):
    page = open_page(ada)
    page.evaluate(
        """() => {
            window.had = [];
            document.addEventListener("notifications:received", ({ detail }) =>
                window.had.push(detail.title));
        }"""
    )
    opened = []
    page.on(
        "request",
        lambda request: "/stream/" in request.url and opened.append(request.url),
    )
    titles = []

    while len(opened) < 3 or len(titles) < 3:
        titles.append(f"Number {len(titles)}")
        notify(ada, titles[-1])
        page.wait_for_function("title => window.had.includes(title)", arg=titles[-1])

    assert page.evaluate("window.had") == titles
    first_cursor = page.locator("notification-stream").get_attribute("data-cursor")
    assert first_cursor not in opened[-1], "It resumed from where the page began."


def test_a_server_that_refuses_is_asked_ever_more_rarely(ada, open_page):
    page = open_page(ada, "about:blank", expecting=["503"])
    for path in [STREAM, "**/api/state/*"]:
        page.route(path, lambda route: route.fulfill(status=503))
    # Every wait but the watchdog's is noted, and then not waited for.
    page.add_init_script(
        """
        const wait = window.setTimeout;
        window.delays = [];
        window.setTimeout = (act, ms) => {
            if (ms === 37500) return wait(act, ms);
            if (ms !== 5000) window.delays.push(ms);
            return wait(act, ms === 5000 ? ms : 0);
        };
        Math.random = () => 0.75;
        """
    )
    page.goto("/")

    page.wait_for_function("() => window.delays.length >= 8")

    delays = page.evaluate("window.delays.slice(0, 8)")
    assert delays == [750, 1500, 3000, 6000, 12000, 24000, 45000, 45000]


def test_a_page_shows_nothing_after_signing_out_in_another_tab(staff, open_page):
    make_notification(staff, "Private")
    page = open_page(staff)
    wait_for_status(page, "open")
    admin = open_page(staff, "/admin/")

    admin.get_by_role("button", name="Log out").click()

    wait_for_status(page, "signed-out")
    expect(badge(page)).to_be_hidden()
    expect(page.locator("[data-rows] [data-notification]")).to_have_count(0)


def test_a_page_that_finds_its_session_gone_asks_once_and_stops(ada, open_page, site):
    page = open_page(ada, expecting=["401", "net::ERR_"])
    wait_for_status(page, "open")
    refused = []
    page.on("response", lambda answer: refused.append(answer.url))

    page.context.clear_cookies()
    site.kill()
    site.start()

    wait_for_status(page, "signed-out")
    assert [url.split("?")[0].removeprefix(site.url) for url in refused] == [
        "/notifications/stream/",
        "/notifications/api/state/",
    ]
