"""What waits is counted where the page is not seen: in its title, and on its icon."""

import pytest
from playwright.sync_api import expect

from notifications.inbox import Inbox
from tests.factories import make_notification

from .pages import badge, receive, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

ICON = """
    window.icon = [];
    navigator.setAppBadge = async (count) => { icon.push(count); };
    navigator.clearAppBadge = async () => { icon.push(0); };
"""
REFUSED_ICON = """
    navigator.setAppBadge = async () => { throw new DOMException("No"); };
    navigator.clearAppBadge = () => { throw new TypeError("No"); };
"""


def test_the_title_says_how_much_waits_as_long_as_it_does(ada, open_page):
    """Check 29: the prefix appears and disappears."""
    make_notification(ada)
    page = open_page(ada)
    wait_for_status(page, "open")
    expect(page).to_have_title("(1) A page")

    receive(page, {"id": 101}, {"id": 102})

    expect(page).to_have_title("(3) A page")
    Inbox(ada).mark_seen()
    expect(badge(page)).to_be_hidden()
    expect(page).to_have_title("A page")


def test_the_title_is_left_alone_where_nothing_waits(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")

    assert page.title() == "A page"


def test_the_page_may_change_its_title(ada, open_page):
    """Check 29: it survives a page changing document.title."""
    page = open_page(ada)
    wait_for_status(page, "open")
    receive(page, {"id": 101})
    expect(page).to_have_title("(1) A page")

    page.evaluate("document.title = 'Step 2'")
    expect(page).to_have_title("(1) Step 2")
    page.evaluate("document.title += ' of 3'")
    expect(page).to_have_title("(1) Step 2 of 3")
    # As a library does that swaps the head.
    page.evaluate(
        """() => {
            const title = document.createElement("title");
            title.textContent = "(1) Another page";
            document.querySelector("title").replaceWith(title);
        }"""
    )
    receive(page, {"id": 102})
    expect(page).to_have_title("(2) Another page")

    page.evaluate("document.title = 'Done'")
    Inbox(ada).mark_seen()
    expect(page).to_have_title("Done")


def test_a_page_may_have_no_title_of_its_own(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")
    page.evaluate("document.title = ''")

    receive(page, {"id": 101})
    expect(page).to_have_title("(1)")
    receive(page, {"id": 102})

    expect(page).to_have_title("(2)")


@pytest.mark.parametrize("next", ["none", "one that leaves the title alone"])
def test_another_bell_or_none_has_the_title_without_it(ada, open_page, next):
    make_notification(ada)
    page = open_page(ada)
    expect(page).to_have_title("(1) A page")

    # As a library does that swaps the body: the title first.
    page.evaluate(
        """async (next) => {
            document.title = "Another page";
            await Promise.resolve();
            window.old = document.querySelector("notification-bell");
            const bell = old.cloneNode(true);
            delete bell.dataset.title;
            if (next === "none") old.remove();
            else old.replaceWith(bell);
        }""",
        next,
    )
    expect(page).to_have_title("Another page")

    page.evaluate("document.body.append(old)")
    expect(page).to_have_title("(1) Another page")


def test_the_title_stops_at_99_as_the_badge_does(ada, open_page):
    for _ in range(100):
        make_notification(ada)

    page = open_page(ada)

    expect(page).to_have_title("(99+) A page")


def test_a_bell_may_leave_the_title_alone(ada, open_page):
    make_notification(ada)
    page = open_page(ada, "/untitled/")
    wait_for_status(page, "open")

    receive(page, {"id": 101})

    expect(badge(page)).to_have_text("2")
    expect(page).to_have_title("A page")


def test_the_icon_of_an_installed_site_says_it_too(ada, open_page):
    page = open_page(ada, "about:blank")
    page.add_init_script(ICON)
    page.goto("/")
    wait_for_status(page, "open")

    receive(page, {"id": 101}, {"id": 102})
    expect(page).to_have_title("(2) A page")
    Inbox(ada).mark_seen()

    expect(page).to_have_title("A page")
    assert page.evaluate("icon") == [0, 1, 2, 0]


def test_an_icon_that_still_says_it_is_told_that_nothing_waits(ada, open_page):
    page = open_page(ada, "about:blank")
    page.add_init_script(ICON)

    page.goto("/")
    wait_for_status(page, "open")

    assert page.evaluate("icon") == [0]


def test_an_icon_that_cannot_say_it_does_no_harm(ada, open_page):
    """Check 29: setAppBadge failure ignored. (open_page fails on an error.)"""
    page = open_page(ada, "about:blank")
    page.add_init_script(REFUSED_ICON)
    page.goto("/")
    wait_for_status(page, "open")

    receive(page, {"id": 101})
    expect(page).to_have_title("(1) A page")
    Inbox(ada).mark_seen()

    expect(page).to_have_title("A page")
