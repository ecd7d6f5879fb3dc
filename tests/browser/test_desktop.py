"""Notifications of the operating system: for who asked, when nobody looks, once."""

from types import SimpleNamespace

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from notifications.api import notify
from notifications.bus import bus
from notifications.inbox import Inbox
from notifications.revocation import digest
from tests import waiting

from .attention import look_at, look_away_from
from .conftest import WITHIN_MS
from .pages import badge, bell, wait_for_status


def eventually(predicate):
    """See waiting.eventually(); as patient as Playwright is here."""
    return waiting.eventually(predicate, within=WITHIN_MS / 1000)


pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

# The browser's own, with what was asked of it; it has no desktop to show them on.
RECORDER = """
    window.asked = 0;
    window.made = [];
    window.Notification = class extends Notification {
        isClosed = false;
        constructor(title, options) {
            super(title, options);
            made.push(Object.assign(this, { text: title, tagged: options.tag }));
        }
        static requestPermission() {
            asked += 1;
            return super.requestPermission();
        }
        close() {
            this.isClosed = true;
            super.close();
        }
    };
"""

SWITCH = {"name": "Desktop notifications", "exact": True, "include_hidden": True}


def switch(page):
    return page.get_by_role("switch", **SWITCH)


def turn(page, *, on):
    """Have the user click on the switch in the panel."""
    page.locator("[data-toggle]").click()
    switch(page).click()
    expect(switch(page)).to_have_attribute("aria-checked", "true" if on else "false")
    page.keyboard.press("Escape")


def made(*pages):
    """Return the texts of what all *pages* made, in no order between them."""
    texts = (page.evaluate("made.map(({ text }) => text)") for page in pages)
    return [text for each in texts for text in each]


@pytest.fixture
def open_tab(ada, open_page):
    """Return a function that opens a page; notifications are allowed on it."""

    def open_tab(path="/", script=RECORDER, **options):
        options = {"permissions": ["notifications"]} | options
        page = open_page(ada, "about:blank", **options)
        page.add_init_script(script)
        page.goto(path)
        wait_for_status(page, "open")
        return page

    return open_tab


def test_nobody_is_asked_or_shown_anything_who_did_not_turn_it_on(ada, open_tab):
    """Check 28: no permission prompt on load."""
    page = open_tab()
    look_away_from(page)
    notify(ada, "Nobody looks")
    expect(badge(page)).to_have_text("1")
    look_at(page)
    assert page.evaluate("asked") == 0

    turn(page, on=True)

    assert page.evaluate("asked") == 1
    look_away_from(page)
    notify(ada, "Nobody looks, again")
    eventually(lambda: made(page) == ["Nobody looks, again"])


def test_signing_out_takes_them_off_the_desktop(ada, open_tab):
    page = open_tab(expecting=["401"])
    turn(page, on=True)
    look_away_from(page)
    notify(ada, "Private words")
    eventually(lambda: made(page) == ["Private words"])

    key = Session.objects.get().session_key
    Session.objects.all().delete()
    bus.send("logout", session=digest(key))

    wait_for_status(page, "signed-out")
    eventually(lambda: page.evaluate("made.every(({ isClosed }) => isClosed)"))


def test_the_choice_is_kept_and_is_that_of_all_tabs(ada, open_tab):
    first, second = open_tab(), open_tab()

    turn(first, on=True)
    expect(switch(second)).to_have_attribute("aria-checked", "true")
    second.reload()
    expect(switch(second)).to_have_attribute("aria-checked", "true")
    assert second.evaluate("asked") == 0

    turn(second, on=False)
    expect(switch(first)).to_have_attribute("aria-checked", "false")
    for page in (first, second):
        look_away_from(page)
    notify(ada, "Nobody looks")
    for page in (first, second):
        expect(badge(page)).to_have_text("1")
    look_at(first)
    turn(first, on=True)
    look_away_from(first)
    notify(ada, "Now it is wanted")
    eventually(lambda: made(first, second) == ["Now it is wanted"])


def test_of_three_tabs_one_tells_and_only_while_none_is_visible(ada, open_tab):
    """Check 28: created only when all tabs are hidden, one per event for 3 tabs."""
    tabs = [open_tab() for _ in range(3)]
    turn(tabs[0], on=True)
    for tab in tabs[1:]:
        expect(switch(tab)).to_have_attribute("aria-checked", "true")
        look_away_from(tab)
    notify(ada, "One looks")
    for tab in tabs:
        expect(badge(tab)).to_have_text("1")

    look_away_from(tabs[0])
    notify(ada, "Nobody looks")
    eventually(lambda: "Nobody looks" in made(*tabs))
    notify(ada, "Nobody looks still")

    eventually(lambda: "Nobody looks still" in made(*tabs))
    for tab in tabs:
        tab.wait_for_function("() => had.length === 3", polling=50)
    assert made(*tabs) == ["Nobody looks", "Nobody looks still"]
    tags = [tag for tab in tabs for tag in tab.evaluate("made.map((n) => n.tagged)")]
    assert tags == [f"notification-{id}" for id in tabs[0].evaluate("had.slice(1)")]


def test_a_burst_is_three_and_a_count(ada, open_tab):
    page = open_tab()
    turn(page, on=True)
    look_away_from(page)

    for number in range(1, 6):
        notify(ada, f"No. {number}")

    eventually(
        lambda: (
            made(page)
            == [
                "No. 1",
                "No. 2",
                "No. 3",
                "4 new notifications",
                "5 new notifications",
            ]
        )
    )
    assert page.evaluate("made[3].tagged === made[4].tagged")


def test_a_click_opens_the_link_and_marks_read(ada, open_tab):
    page = open_tab()
    turn(page, on=True)
    look_away_from(page)
    notify(ada, "Go", url="/users/")
    eventually(lambda: made(page) == ["Go"])

    with page.context.expect_page() as opened:
        page.evaluate("made[0].dispatchEvent(new Event('click'))")

    opened.value.wait_for_url("**/users/")
    assert page.evaluate("made[0].isClosed")
    eventually(lambda: Inbox(ada).counts().unread == 0)


def test_what_is_read_elsewhere_is_taken_back(ada, open_tab):
    page = open_tab()
    turn(page, on=True)
    look_away_from(page)
    [row] = notify(ada, "Read me")
    eventually(lambda: made(page) == ["Read me"])

    Inbox(ada).mark_read([row.pk])

    eventually(lambda: page.evaluate("made[0].isClosed"))


def test_what_is_marked_with_all_others_elsewhere_is_taken_back(ada, open_tab):
    page = open_tab()
    turn(page, on=True)
    look_away_from(page)
    notify(ada, "Read me")
    eventually(lambda: made(page) == ["Read me"])

    Inbox(ada).mark_all_read()

    eventually(lambda: page.evaluate("made[0].isClosed"))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("delete window.Notification", id="missing"),
        pytest.param(
            "Object.defineProperty(Notification, 'permission', { value: 'denied' })",
            id="denied",
        ),
    ],
)
def test_there_is_no_switch_where_it_cannot_work(open_tab, script):
    page = open_tab(script=script)

    page.locator("[data-toggle]").click()

    expect(page.get_by_role("link", name="See all notifications")).to_be_visible()
    expect(switch(page)).to_be_hidden()


def test_there_is_no_switch_on_plain_http(open_tab, site):
    page = open_tab(
        at=SimpleNamespace(url=f"http://intranet.test:{site.port}"),
        expecting=["Cross-Origin-Opener-Policy"],  # ignored there, says Chromium
    )

    bell(page, "Notifications").click()

    expect(page.get_by_role("link", name="See all notifications")).to_be_visible()
    expect(switch(page)).to_be_hidden()


def test_who_refuses_keeps_the_focus_and_is_not_asked_again(open_tab):
    page = open_tab(
        script="""
            let permission = "default";
            Object.defineProperty(Notification, "permission", {
                get: () => permission,
            });
            Notification.requestPermission = async () => (permission = "denied");
        """
    )
    page.locator("[data-toggle]").click()

    switch(page).click()

    expect(switch(page)).to_be_hidden()
    expect(page.get_by_role("dialog", name="Notifications")).to_be_focused()


def test_a_browser_that_has_them_for_service_workers_alone_shows_none(ada, open_tab):
    """Check 28. (open_page fails on an error.)"""
    page = open_tab(
        script="""
            window.Notification = class {
                static permission = "granted";
                static async requestPermission() { return "granted"; }
                constructor() { window.tried = true; throw new TypeError("Illegal"); }
            };
        """
    )
    turn(page, on=True)
    look_away_from(page)

    notify(ada, "Nobody looks")

    eventually(lambda: page.evaluate("window.tried"))
    expect(badge(page)).to_have_text("1")


def test_a_page_with_it_turned_on_still_comes_back_from_the_cache(open_tab):
    page = open_tab()
    turn(page, on=True)

    page.goto("/users/")
    page.go_back(wait_until="commit")

    eventually(lambda: page.evaluate("kept"))
    expect(switch(page)).to_have_attribute("aria-checked", "true")
