"""What a page does by itself: it follows its user's inbox."""

import time
from datetime import timedelta

import pytest
from django.db import transaction
from playwright.sync_api import expect

from notifications import broadcasts, clock, outbox
from notifications.api import broadcast, notify, send_event
from notifications.constants import Level
from notifications.inbox import Inbox
from notifications.models import Broadcast, Notification
from tests.factories import make_notification, make_user
from tests.waiting import eventually, patience

from .pages import STREAM, badge, bell, receive, rows, settle, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]


def test_what_is_notified_is_in_badge_and_panel_within_a_second(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")
    notify(ada, "The first one starts this process's bus")
    expect(badge(page)).to_have_text("1")

    notify(ada, "You were invited", body="By Bob.", url="/teams/1", level=Level.WARNING)

    expect(badge(page)).to_have_text("2", timeout=patience(1000))
    bell(page, "Notifications, 2 unread").click()
    row = rows(page).first
    expect(row).to_contain_text("Warning: You were invited")
    expect(row).to_contain_text("By Bob.")
    expect(row).to_contain_text("now")
    expect(row.get_by_role("link")).to_have_attribute("href", "/teams/1")


def test_many_that_come_at_once_have_the_page_ask_a_few_times(ada, open_page):
    """Written in one transaction, and committed when the page has counted."""
    page = open_page(ada, "about:blank")
    with transaction.atomic():
        for number in range(40):
            notify(ada, f"Row {number} failed")
        page.goto("/")
        wait_for_status(page, "open")
        settle(page)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
    eventually(lambda: page.evaluate("had.length") == 40, within=15)
    expect(badge(page)).to_have_text("40")
    page.evaluate("fetch('/users/').then(answer => answer.text())")

    own = [url for url in asked if "/notifications/api/" in url]
    assert len(own) < 20, own


def test_a_correction_of_what_is_not_listed_is_not_said_to_be_new(ada, open_page):
    ada.date_joined = clock.now() - timedelta(days=9)
    ada.save()
    old = make_notification("everyone", "Maintenance at 8", age=timedelta(days=3))
    for number in range(12):
        make_notification(ada, f"Later {number}")
    page = open_page(ada)
    wait_for_status(page, "open")
    settle(page)

    broadcasts.correct(Broadcast.objects.get(pk=old.pk), title="Maintenance at 9")
    page.wait_for_function("id => had.includes(id)", arg=old.pk)
    notify(ada, "News")

    eventually(lambda: "News" in page.evaluate("said"))
    assert page.evaluate("said.filter(Boolean)") == ["News"]


def test_what_is_listed_just_before_it_is_announced_is_news_yet(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")
    settle(page)
    row = make_notification(ada, "Listed first", announced_at=None)
    page.evaluate("document.dispatchEvent(new CustomEvent('notifications:refetch'))")
    listed = page.locator("[data-rows] [data-slot=title]")
    expect(listed).to_have_text(["Listed first"])

    outbox.announce(Notification.objects.filter(pk=row.pk))

    eventually(lambda: "Listed first" in page.evaluate("said"))


def test_a_broadcast_is_in_everyones_open_page(ada, bob, open_page):
    pages = [open_page(ada), open_page(bob)]
    for page in pages:
        wait_for_status(page, "open")
    broadcast("The first one starts this process's bus")
    for page in pages:
        expect(badge(page)).to_have_text("1")

    broadcast("Maintenance at noon")

    for page in pages:
        expect(badge(page)).to_have_text("2", timeout=patience(1000))


def test_what_an_admin_publishes_is_in_a_users_open_page(ada, open_page):
    root = make_user("root", is_staff=True, is_superuser=True)
    page = open_page(ada)
    wait_for_status(page, "open")
    admin = open_page(root, "/admin/live_notifications/broadcast/add/")

    admin.get_by_label("Title").fill("Maintenance at noon")
    admin.get_by_role("button", name="Send…").click()
    admin.get_by_role("button", name="Send").click()

    bell(page, "Notifications, 1 unread").click()
    expect(rows(page)).to_contain_text(["Maintenance at noon"])


@pytest.mark.parametrize("rung", ["tab"])
def test_what_was_notified_while_the_page_loaded_is_shown_once(ada, open_page):
    page = open_page(ada, "about:blank")
    page.route(STREAM, lambda route: (notify(ada, "Meanwhile"), route.continue_()))

    page.goto("/")

    expect(badge(page)).to_have_text("1")
    wait_for_status(page, "open")
    notify(ada, "Later")
    expect(badge(page)).to_have_text("2")
    bell(page, "Notifications, 2 unread").click()
    expect(rows(page)).to_contain_text(["Later", "Meanwhile"])


def test_a_live_row_is_made_like_one_from_the_server(ada, open_page):
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")
    notify(ada, "Done", body="All of it.", url="/done", level=Level.SUCCESS)
    row = page.locator("main [data-notification]:visible")
    row.wait_for()
    # Times are told alike but for the language's own formats, and the buttons of a live
    # row are pressed for scripts alone.
    comparable = """row => {
        const copy = row.cloneNode(true);
        copy.removeAttribute("data-publish-at");
        copy.querySelector("time").replaceWith("time");
        for (const button of copy.querySelectorAll("button")) {
            button.removeAttribute("type");
        }
        return copy.outerHTML.replace(/ (data-read|hidden)=""/g, " $1")
            .replace(/\\s+/g, " ");
    }"""
    live = row.evaluate(comparable)

    page.reload()

    assert row.evaluate(comparable) == live


def test_only_what_arrives_is_announced_and_a_burst_at_once(ada, open_page):
    for _ in range(12):
        make_notification(ada)  # replayed, and two of them not in the panel
    page = open_page(ada)
    wait_for_status(page, "open")
    notify(ada, "Fresh")
    expect(page.locator("[data-announce]")).to_have_text("Fresh")

    receive(page, {"id": 101}, {"id": 102}, {"id": 103})

    expect(page.locator("[data-announce]")).to_have_text("3 new notifications")
    assert page.evaluate("window.said") == ["Fresh", "3 new notifications"]


def test_what_was_counted_before_it_arrived_is_announced_too(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")
    settle(page)
    page.evaluate(
        """detail => document.body.dispatchEvent(
            new CustomEvent("notifications:state", { bubbles: true, detail })
        )""",
        Inbox(ada).state() | {"as_of": (time.time_ns() // 1000) + 10_000_000},
    )

    receive(page, {"title": "Overtaken"})

    expect(page.locator("[data-announce]")).to_have_text("Overtaken")


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "//evil.example/", "/\\evil.example", "/\t/evil.example"],
)
def test_a_link_that_leads_elsewhere_than_it_says_is_no_link(ada, open_page, url):
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")

    receive(page, {"title": "Look", "url": url})

    link = page.locator("main [data-notification] [data-link]")
    expect(link).to_have_text("Look")
    assert link.get_attribute("href") is None


def test_what_is_recalled_leaves_the_page(ada, open_page):
    sent = broadcast("Free cake")
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")
    listed = page.locator("main [data-notification]")
    expect(listed).to_have_count(1)

    page.evaluate(
        """id => document.body.dispatchEvent(new CustomEvent(
            "notifications:removed", { bubbles: true, detail: { ids: [id] } }
        ))""",
        sent.pk,
    )

    expect(listed).to_have_count(0)
    expect(page.locator("main [data-empty]")).to_be_visible()


def test_a_projects_own_events_reach_its_own_script(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")
    page.evaluate(
        """() => document.addEventListener("notifications:event", ({ detail }) => {
            window.heard = detail;
        })"""
    )

    notify(ada, "The first one starts this process's bus")
    expect(badge(page)).to_have_text("1")
    send_event(ada, "progress", {"value": 40})

    page.wait_for_function("() => window.heard")
    assert page.evaluate("window.heard") == {
        "name": "progress",
        "data": {"value": 40},
    }


def test_a_reset_shows_the_newest_page(ada, open_page):
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")
    make_notification(ada, "Never announced to this page")

    page.evaluate("document.dispatchEvent(new CustomEvent('notifications:refetch'))")

    expect(page.locator("main [data-notification]")).to_contain_text(
        ["Never announced to this page"]
    )
    expect(bell(page, "Notifications, 1 unread")).to_be_visible()


@pytest.mark.parametrize("rung", ["tab"])
def test_a_reset_after_more_than_a_page_leaves_no_gap(ada, open_page):
    make_notification(ada, "Old")
    page = open_page(ada, "about:blank", expecting=["net::ERR_FAILED"])
    page.route(STREAM, lambda route: route.abort())
    page.goto("/notifications/")
    for number in range(25):
        make_notification(ada, f"Number {number}")

    page.evaluate("document.dispatchEvent(new CustomEvent('notifications:refetch'))")

    titles = page.locator("main [data-rows] [data-slot=title]")
    numbers = [f"Number {number}" for number in range(24, -1, -1)]
    expect(titles).to_have_text(numbers[:20])
    page.locator("main").get_by_role("link", name="Older").click()
    expect(titles).to_have_text([*numbers, "Old"])


def test_counts_agree_with_the_inbox_after_all_of_it(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")

    notify([ada], "One")
    broadcast("Two")
    [three] = notify(ada, "Three")
    expect(badge(page)).to_have_text("3")
    Inbox(ada).mark_read([three.pk])

    expect(bell(page, "Notifications, 2 unread")).to_be_visible()
    assert Notification.objects.count() == 3
