"""What arrives is shown for a while: where, for how long, and how much of it."""

import re
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from notifications import outbox
from notifications.api import notify
from notifications.constants import Level, Placement
from notifications.events import Cursor
from notifications.inbox import Inbox
from notifications.models import Notification
from tests.factories import make_notification
from tests.waiting import eventually, patience

from .attention import look_at, look_away_from, work_elsewhere
from .pages import badge, bell, frozen, receive, settle, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

PATH = "/toasts/"

OFFLINE = "net::ERR_INTERNET_DISCONNECTED"
HOUR_MS = 3_600_000

LEVELS = {level: {"level": level, "level_name": level.name.lower()} for level in Level}


def region(page):
    return page.get_by_role("region", name="Notifications")


def toasts(page):
    return page.locator("notification-toast:not([data-leaving])")


def titles(page):
    return toasts(page).locator("[data-slot=title]")


def arrive(page, *notifications):
    """Have *page* receive what is to be a toast: fields over defaults."""
    defaults = {"placement": "toast", "age_ms": 0}
    receive(page, *(defaults | fields for fields in notifications))


def focused(page):
    """Return what has the focus, in short."""
    return page.evaluate(
        """() => {
            const { activeElement: element } = document;
            const toast = element.closest("notification-toast");
            const name = element.getAttribute("aria-label") ?? element.textContent;
            return (toast ? `${toast.getAttribute("aria-label")}: ` : "") + name.trim();
        }"""
    )


@pytest.fixture
def stopped(ada, open_page):
    """A page whose time goes by only when its clock is told to run."""
    page = open_page(ada, "about:blank", expecting=[OFFLINE])
    page.clock.install()
    page.goto(PATH)
    wait_for_status(page, "open")
    settle(page)  # or what it asks would be given up when the time jumps
    page.clock.pause_at(time.time() + 10)
    return page


def pass_by(page, ms):
    """
    Let *ms* go by at once, offline.

    A page that hears nothing for so long asks the server, and would be told that what
    only the test gave it is not there.
    """
    page.context.set_offline(True)
    page.clock.run_for(ms)


def show(page, *notifications):
    """Have *page* receive, and let the moment go by in which it collects."""
    arrive(page, *notifications)
    page.clock.run_for(200)


# Which tab


def test_a_tab_that_was_frozen_shows_none_that_another_has_shown(ada, open_page):
    page, front = open_page(ada, "/toasts/"), open_page(ada, "/toasts/")
    for each in (page, front):
        wait_for_status(each, "open")
    settle(page)
    look_at(front)

    with frozen(page):
        notify(ada, "While it was frozen")
        expect(titles(front)).to_have_text(["While it was frozen"])
        look_away_from(front)
    eventually(lambda: page.evaluate("had.length"))
    look_at(page)
    notify(ada, "Since then")

    expect(titles(page)).to_have_text(["Since then"])


# Chromium alone tells a page that it was frozen.
UNTOLD = """
    const keep = event => event.stopImmediatePropagation();
    for (const name of ["freeze", "resume"]) {
        document.addEventListener(name, keep, { capture: true });
    }
"""


def test_a_page_that_back_restores_shows_none_that_the_next_has_shown(ada, open_page):
    """In a browser that tells no page that it was frozen."""
    page = open_page(ada, "about:blank")
    page.add_init_script(UNTOLD)
    page.goto(PATH)
    wait_for_status(page, "open")
    settle(page)
    page.goto("/site/")
    wait_for_status(page, "open")
    notify(ada, "On the next")
    expect(titles(page)).to_have_text(["On the next"])

    page.go_back(wait_until="commit")
    eventually(lambda: page.evaluate("kept && had.length"))
    notify(ada, "Since then")

    expect(titles(page)).to_have_text(["Since then"])


def test_it_is_there_within_a_second_in_the_tab_in_front_only(ada, open_page):
    """Check 23: the focused tab only."""
    back, front = (open_page(ada, PATH) for _ in range(2))
    for page in (back, front):
        wait_for_status(page, "open")
    look_away_from(back)
    look_at(front)
    notify(ada, "The first one starts this process's bus")
    expect(titles(front)).to_have_count(1)

    notify(ada, "You were invited", body="By Bob.", level=Level.WARNING)

    expect(titles(front).nth(1)).to_have_text(
        "You were invited", timeout=patience(1000)
    )
    expect(toasts(front).nth(1)).to_contain_text("Warning:")
    expect(toasts(front).nth(1)).to_contain_text("By Bob.")
    expect(badge(back)).to_have_text("2")
    look_away_from(front)
    look_at(back)
    notify(ada, "Now you look")
    expect(titles(back)).to_have_text(["Now you look"])


def test_of_two_visible_windows_the_one_that_had_the_focus_last_has_it(ada, open_page):
    """Check 23: the focused tab only."""
    left, right = (open_page(ada, PATH) for _ in range(2))
    for page in (left, right):
        wait_for_status(page, "open")

    look_at(left)
    notify(ada, "For the left")
    expect(titles(left)).to_have_text(["For the left"])

    look_at(right)
    notify(ada, "For the right")
    expect(titles(right)).to_have_text(["For the right"])

    work_elsewhere(right)
    notify(ada, "While another program has the focus")
    expect(titles(right).last).to_have_text("While another program has the focus")

    look_away_from(right)
    notify(ada, "The right one is covered")
    expect(titles(left).last).to_have_text("The right one is covered")


def test_where_storage_is_forbidden_every_visible_tab_shows_it(ada, open_page):
    page = open_page(ada, "about:blank")
    page.add_init_script(
        """
        Object.defineProperty(window, "localStorage", {
            get() { throw new DOMException("No", "SecurityError"); },
        });
        """
    )
    page.goto(PATH)
    wait_for_status(page, "open")
    work_elsewhere(page)

    notify(ada, "Hello")

    expect(titles(page)).to_have_text(["Hello"])


# For how long


def test_it_goes_when_its_time_is_up(stopped):
    """Check 23: it disappears after its time."""
    levels = [Level.INFO, Level.SUCCESS, Level.WARNING]
    show(
        stopped,
        *({"id": level, "title": level.name} | LEVELS[level] for level in levels),
    )

    stopped.clock.run_for(7_900)
    expect(titles(stopped)).to_have_text(["INFO", "SUCCESS", "WARNING"])
    stopped.clock.run_for(200)
    expect(titles(stopped)).to_have_text(["WARNING"])
    stopped.clock.run_for(3_800)
    expect(titles(stopped)).to_have_text(["WARNING"])
    stopped.clock.run_for(200)

    expect(toasts(stopped)).to_have_count(0)
    expect(region(stopped)).to_have_count(0)


def test_an_error_stays_until_it_is_closed(stopped):
    """Check 23: critical stays."""
    show(stopped, LEVELS[Level.ERROR] | {"title": "Payment failed"})

    pass_by(stopped, HOUR_MS)

    expect(titles(stopped)).to_have_text(["Payment failed"])
    toasts(stopped).get_by_role("button", name="Close").click()
    expect(toasts(stopped)).to_have_count(0)


def hover(page):
    toasts(page).hover()
    return lambda: page.mouse.move(1, 1)


def focus(page):
    toasts(page).get_by_role("button", name="Close").focus()
    return page.get_by_label("Something to fill in").focus


def look_away(page):
    look_away_from(page)
    return lambda: look_at(page)


@pytest.mark.parametrize("hold", [hover, focus, look_away])
def test_its_time_stands_still_while(stopped, hold):
    """Check 23: hover, focus and a hidden document pause it."""
    show(stopped, {"title": "Read me"})
    stopped.clock.run_for(4_000)

    let_go = hold(stopped)
    pass_by(stopped, HOUR_MS)
    expect(toasts(stopped)).to_have_count(1)
    let_go()

    stopped.clock.run_for(3_900)
    expect(toasts(stopped)).to_have_count(1)
    stopped.clock.run_for(200)
    expect(toasts(stopped)).to_have_count(0)


# How much


def test_of_more_than_three_the_newest_are_shown_and_the_rest_are_counted(stopped):
    """Check 23: max 3 and a summary."""
    for number in range(1, 6):
        show(stopped, {"id": number, "title": f"No. {number}"})
        stopped.clock.run_for(2_050 if number < 5 else 0)

    expect(titles(stopped)).to_have_text(["+2 more", "No. 3", "No. 4", "No. 5"])
    link = toasts(stopped).first.get_by_role("link", name="+2 more")
    expect(link).to_have_attribute("href", "/notifications/")


def test_errors_are_not_pushed_out_by_what_comes_later(stopped):
    for number in range(1, 4):
        title = {"id": number, "title": f"Error {number}"}
        show(stopped, LEVELS[Level.ERROR] | title)
        stopped.clock.run_for(2_500)

    show(stopped, {"id": 4, "title": "Later"})

    expect(titles(stopped)).to_have_text(["+1 more", "Error 1", "Error 2", "Error 3"])


def test_a_burst_is_one_summary(ada, open_page):
    """Check 23: one summary on a burst of 20."""
    page = open_page(ada, PATH)
    wait_for_status(page, "open")

    notify(ada, "The first one starts this process's bus")
    expect(toasts(page)).to_have_count(1)
    for number in range(20):
        notify(ada, f"No. {number}")

    expect(badge(page)).to_have_text("21")
    expect(titles(page).last).to_have_text(re.compile(r"^2[01] new|^\+20 more"))
    expect(toasts(page).filter(has_text="No. ")).to_have_count(0)


def test_the_first_of_a_burst_join_its_summary(stopped):
    show(stopped, {"id": 1}, {"id": 2}, {"id": 3})
    expect(toasts(stopped)).to_have_count(3)

    stopped.clock.run_for(1_000)
    show(stopped, {"id": 4})

    expect(titles(stopped)).to_have_text(["4 new notifications"])
    stopped.clock.run_for(8_100)
    expect(toasts(stopped)).to_have_count(0)


def test_a_summary_with_an_error_in_it_stays(stopped):
    ids = [{"id": number} for number in range(1, 5)]
    show(stopped, *ids, LEVELS[Level.ERROR] | {"id": 5})

    pass_by(stopped, HOUR_MS)

    expect(titles(stopped)).to_have_text(["5 new notifications"])
    expect(toasts(stopped)).to_have_attribute("data-level", "40")


def test_what_is_pointed_at_is_not_taken_away(stopped):
    show(stopped, {"id": 1, "title": "I am read"}, {"id": 2}, {"id": 3})
    toasts(stopped).first.hover()

    show(stopped, {"id": 4})

    expect(titles(stopped)).to_have_text(["+3 more", "I am read"])


# What is none


def test_old_news_after_a_time_away_are_no_toasts(ada, open_page):
    """Check 26: backlog."""
    page = open_page(ada, "about:blank")

    def serve_as_cached(route):
        """Answer with a page of ten minutes ago, as Back takes it from the cache."""
        response = route.fetch()
        made = Cursor.at(timezone.now() - timedelta(minutes=10))
        html = re.sub(r"\b\d{16}-0\b", str(made), response.text())
        for minutes in (5, 4, 3):
            make_notification(ada, "Old", age=timedelta(minutes=minutes))
        route.fulfill(response=response, body=html)

    page.route(f"**{PATH}", serve_as_cached)
    page.goto(PATH)
    wait_for_status(page, "open")
    page.wait_for_function("() => had.length === 3")

    notify(ada, "New")

    expect(titles(page)).to_have_text(["New"])


def test_what_is_for_another_place_old_or_known_is_no_toast(stopped):
    show(
        stopped,
        {"id": 1, "title": "For the inbox", "placement": Placement.INBOX},
        {"id": 2, "title": "A banner", "placement": Placement.BANNER},
        {"id": 3, "title": "In place of another", "replaces": True},
        {"id": 4, "title": "A minute old", "age_ms": 61_000},
        {"id": 5, "title": "From before the page", "at": 1},
        {"id": 6, "title": "Read already", "read": True},
        {"id": 7, "title": "This"},
    )

    expect(titles(stopped)).to_have_text(["This"])


def test_a_correction_is_none_where_the_page_does_not_list_what_it_is_of(
    ada, open_page
):
    row = make_notification(ada, "Sent", age=timedelta(minutes=2))
    page = open_page(ada, PATH)
    wait_for_status(page, "open")
    page.evaluate("document.querySelector('[data-rows]').replaceChildren()")

    sent = Notification.objects.filter(pk=row.pk)
    sent.update(title="Corrected", announced_at=None)
    outbox.announce(sent)
    page.wait_for_function("id => had.includes(id)", arg=row.pk)
    notify(ada, "New")

    expect(titles(page)).to_have_text(["New"])


def test_toasts_that_a_library_puts_back_are_gone(stopped):
    show(stopped, {"id": 1, "title": "Old"})

    # As htmx does of its copy, when somebody goes back.
    stopped.evaluate(
        """() => {
            const element = document.querySelector("notification-toasts");
            element.replaceWith(element.cloneNode(true));
        }"""
    )

    expect(toasts(stopped)).to_have_count(0)
    expect(region(stopped)).to_have_count(0)
    show(stopped, {"id": 2, "title": "New"})
    expect(titles(stopped)).to_have_text(["New"])


def test_there_are_none_while_the_panel_is_open(stopped):
    bell(stopped, "Notifications").click()
    show(stopped, {"id": 1, "title": "In the panel"})
    stopped.keyboard.press("Escape")
    expect(stopped.locator("[data-toggle]")).to_have_attribute("aria-expanded", "false")

    show(stopped, {"id": 2, "title": "In a toast"})

    expect(titles(stopped)).to_have_text(["In a toast"])


# What the user does


def test_its_link_marks_read_and_leads_there(ada, open_page):
    page = open_page(ada, PATH)
    wait_for_status(page, "open")
    notify(ada, "Go", url="/linked/1/")

    toasts(page).get_by_role("link", name="Go").click()

    page.wait_for_url("**/linked/1/")
    eventually(lambda: Inbox(ada).counts().unread == 0)


def test_what_is_read_or_recalled_elsewhere_goes(ada, open_page):
    page = open_page(ada, PATH)
    wait_for_status(page, "open")
    [one] = notify(ada, "One")
    [two] = notify(ada, "Two")
    expect(titles(page)).to_have_text(["One", "Two"])

    Inbox(ada).mark_read([one.pk])

    expect(titles(page)).to_have_text(["Two"])
    page.evaluate(
        """id => document.body.dispatchEvent(new CustomEvent(
            "notifications:removed", { bubbles: true, detail: { ids: [id] } }
        ))""",
        two.pk,
    )
    expect(titles(page)).to_have_count(0)


def test_it_is_text_and_leads_nowhere_else_than_it_says(stopped):
    title = "<img src=x onerror=alert(1)>"
    show(
        stopped,
        {"id": 1, "title": title, "url": "javascript:alert(1)"},
        {"id": 2, "title": title, "url": "//evil.example"},
    )

    expect(titles(stopped)).to_have_text([title, title])
    expect(toasts(stopped).locator("a[href], img")).to_have_count(0)


# The focus, and assistive technology


def test_escape_closes_the_toast_with_the_focus_and_gives_it_back(stopped):
    """Check 23: Esc closes."""
    field = stopped.get_by_label("Something to fill in")
    field.focus()
    show(stopped, {"id": 1, "title": "One"}, {"id": 2, "title": "Two"})

    stopped.keyboard.press("Tab")
    assert focused(stopped) == "One: Close"
    stopped.keyboard.press("Escape")

    expect(titles(stopped)).to_have_text(["Two"])
    assert focused(stopped) == "Two: Close"
    stopped.keyboard.press("Escape")
    expect(toasts(stopped)).to_have_count(0)
    expect(field).to_be_focused()


def test_the_focus_stays_where_it_is_when_something_arrives(stopped):
    """Check 24: no focus change on arrival."""
    field = stopped.get_by_label("Something to fill in")
    field.focus()

    show(stopped, {"id": 1}, LEVELS[Level.ERROR] | {"id": 2})

    expect(toasts(stopped)).to_have_count(2)
    expect(field).to_be_focused()
    groups = region(stopped).get_by_role("group", name="Hello")
    expect(groups).to_have_count(2)


LISTENER = """
    window.heard = [];
    addEventListener("DOMContentLoaded", () => {
        for (const region of document.querySelectorAll("[role=status], [role=alert]")) {
            if (region.textContent) heard.push(["from the start", region.textContent]);
            new MutationObserver(() => {
                if (region.textContent) heard.push([region.role, region.textContent]);
            }).observe(region, { childList: true });
        }
    });
"""


@pytest.fixture
def listened(ada, open_page):
    """A page as *stopped*, with what its live regions said in ``heard``."""
    page = open_page(ada, "about:blank", expecting=[OFFLINE])
    page.clock.install()
    page.add_init_script(LISTENER)
    page.goto(PATH)
    wait_for_status(page, "open")
    settle(page)  # or what it asks would be given up when the time jumps
    page.clock.pause_at(time.time() + 10)
    assert page.evaluate("heard") == []
    return page


def test_a_burst_is_said_once_in_a_region_that_was_there_before(listened):
    """Check 24: role=status existed empty, and gets one short text per burst."""
    show(listened, *({"id": number} for number in range(1, 21)))

    pass_by(listened, 60_000)

    assert listened.evaluate("heard") == [["status", "20 new notifications"]]


def test_an_error_is_said_as_an_alert(listened):
    """Check 24: critical uses alert."""
    show(listened, LEVELS[Level.ERROR] | {"title": "Payment failed"})

    pass_by(listened, 60_000)

    assert listened.evaluate("heard") == [["alert", "Error: Payment failed"]]


def test_something_is_said_at_most_every_three_seconds(listened):
    """Check 24: announcements are throttled."""
    for number in range(1, 11):
        arrive(listened, {"id": number, "title": f"No. {number}"})
        listened.clock.run_for(600)

    assert listened.evaluate("heard") == [["status", "5 new notifications"]] * 2
    show(listened, {"id": 11, "title": "The last one"})
    listened.clock.run_for(2_700)
    assert len(listened.evaluate("heard")) == 2
    listened.clock.run_for(200)
    assert listened.evaluate("heard")[2:] == [["status", "The last one"]]


def test_a_title_is_shown_and_said_in_the_pages_language(listened):
    words = {"en": {"title": "Translated"}}
    show(listened, {"title": "Original", "translations": words})
    listened.clock.run_for(1_000)

    expect(titles(listened)).to_have_text(["Translated"])
    assert listened.evaluate("heard") == [["status", "Translated"]]


# What it looks like


def test_nothing_moves_where_less_motion_is_wanted(ada, open_page):
    """Check 25."""
    page = open_page(ada, PATH, reduced_motion="reduce")
    wait_for_status(page, "open")
    arrive(page, {"title": "Calm"})
    toasts(page).wait_for()

    moving = page.evaluate(
        """() => [...document.querySelectorAll(
                "notification-toasts *, notification-desktop *"
            )].flatMap((element) => ["", "::before", "::after"].map((pseudo) => {
                const style = getComputedStyle(element, pseudo);
                return [style.transitionDuration, style.animationDuration];
            }))
            .flat().filter((duration) => !/^0s(, 0s)*$/.test(duration))"""
    )

    assert moving == []
    toasts(page).get_by_role("button", name="Close").click()
    expect(page.locator("notification-toast")).to_have_count(0)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_it_fits_a_small_screen(ada, open_page, direction):
    page = open_page(ada, PATH, viewport={"width": 320, "height": 500})
    page.evaluate("direction => { document.dir = direction }", direction)
    wait_for_status(page, "open")

    arrive(page, {"title": "W" * 200, "body": "word " * 200})

    box = toasts(page).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    assert box["height"] < 200
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_it_is_in_the_corner_where_lines_end(ada, open_page):
    page = open_page(ada, PATH, viewport={"width": 1000, "height": 600})
    wait_for_status(page, "open")
    arrive(page, {"title": "Here"})

    assert toasts(page).bounding_box()["x"] > 500
    page.evaluate("document.dir = 'rtl'")

    assert toasts(page).bounding_box()["x"] < 500
