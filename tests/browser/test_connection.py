"""How a page keeps its stream: silent, full, refused, ended of age, signed out."""

import signal
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.inbox import Inbox
from tests.factories import make_notification

from .pages import (
    STATE_PATH,
    STREAM,
    STREAM_PATH,
    badge,
    frozen,
    on_both_rungs,
    wait_for_status,
)

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]


@on_both_rungs
def test_what_was_read_elsewhere_while_the_page_was_away_is_read_here(
    ada, open_page, rung
):
    row = make_notification(ada, "Read me", age=timedelta(hours=1))
    page, other = open_page(ada, "/notifications/"), open_page(ada, "/notifications/")
    for each in (page, other):
        wait_for_status(each, "open")

    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    wait_for_status(page, "closed")
    Inbox(ada).mark_read([row.pk])
    expect(other.locator("main [data-notification]")).to_have_attribute("data-read", "")
    page.evaluate(
        "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    )

    expect(page.locator("main [data-notification]")).to_have_attribute("data-read", "")


@on_both_rungs
@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_HEARTBEAT_SECONDS": 0.2}])
def test_a_silent_stream_is_taken_for_dead(ada, open_page, site, rung):
    page = open_page(ada, expecting=["net::ERR_"])
    wait_for_status(page, "open")

    site.signal(signal.SIGSTOP)

    wait_for_status(page, "reconnecting")
    site.signal(signal.SIGCONT)
    wait_for_status(page, "open")


@on_both_rungs
@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_MAX_STREAMS_PER_USER": 1}])
def test_a_page_that_lost_its_place_does_not_fight_for_it(ada, open_page, site, rung):
    first = open_page(ada)
    wait_for_status(first, "open")

    second = open_page(ada, device="another")

    wait_for_status(first, "polling")
    wait_for_status(second, "open")
    notify(ada, "For who is there")
    expect(badge(second)).to_have_text("1")
    assert site.streams == 1
    first.evaluate("document.dispatchEvent(new CustomEvent('notifications:refetch'))")
    expect(badge(first)).to_have_text("1")


@on_both_rungs
@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_STREAM_SECONDS": 0.5}])
def test_each_arrives_once_however_often_the_stream_ends_of_age(
    ada, open_page, relay, rung
):
    page = open_page(ada, at=relay)
    arrived = []

    while len(relay.asked(STREAM_PATH)) < 3 or len(arrived) < 3:
        [row] = notify(ada, f"Number {len(arrived)}")
        arrived.append(row.pk)
        page.wait_for_function("id => had.includes(id)", arg=row.pk)

    assert page.evaluate("had") == arrived
    first_cursor = page.locator("notification-stream").get_attribute("data-cursor")
    opened = [each.path for each in relay.requests if STREAM_PATH in each.path]
    cursors = [parse_qs(urlsplit(path).query)["cursor"] for path in opened]
    assert cursors[0] == [first_cursor]
    assert cursors[-1] != [first_cursor], "It resumed from where the page began."


@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_STREAM_SECONDS": 1.0}])
def test_a_tab_that_was_frozen_for_long_asks_once_when_it_goes_on(ada, open_page):
    """Though the stream ended of age again and again, and began again."""
    page, other = open_page(ada), open_page(ada)
    for each in (page, other):
        wait_for_status(each, "open")
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    with frozen(page):
        other.evaluate(
            """() => new Promise((done) => {
                let states = 0;
                document.addEventListener("notifications:state", () => {
                    states += 1;
                    if (states === 8) done(); // two with each stream
                });
            })"""
        )
        before = len(asked)
    page.evaluate("fetch('/users/').then(answer => answer.text())")

    states = [url for url in asked[before:] if STATE_PATH in url]
    assert len(states) <= 2, states


@pytest.mark.parametrize("rung", ["tab"])
def test_a_server_that_refuses_is_asked_ever_more_rarely(ada, open_page):
    page = open_page(ada, "about:blank", expecting=["503"])
    for path in [STREAM, "**/api/state/*"]:
        page.route(path, lambda route: route.fulfill(status=503))
    waits = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
    # With this chance, no other wait is as long as one of these: they are noted,
    # and then not waited for.
    page.add_init_script(
        f"""
        const wait = window.setTimeout;
        window.delays = [];
        window.setTimeout = (act, ms) => {{
            if (!{waits}.includes(ms)) return wait(act, ms);
            window.delays.push(ms);
            return wait(act, 0);
        }};
        Math.random = () => 0.5;
        """
    )
    page.goto("/")

    page.wait_for_function("count => delays.length >= count", arg=len(waits))

    assert page.evaluate("delays")[: len(waits)] == waits


@on_both_rungs
def test_a_page_shows_nothing_after_signing_out_in_another_tab(staff, open_page, rung):
    make_notification(staff, "Private")
    page = open_page(staff, expecting=["401"])
    wait_for_status(page, "open")
    admin = open_page(staff, "/admin/", expecting=["401"])  # it may ask as it goes

    admin.get_by_role("button", name="Log out").click()

    wait_for_status(page, "signed-out")
    expect(badge(page)).to_be_hidden()
    expect(page.locator("[data-rows] [data-notification]")).to_have_count(0)
