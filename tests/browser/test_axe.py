"""axe-core finds nothing wrong in what pages show, in any scheme or direction."""

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.constants import Level
from notifications.inbox import Inbox
from tests.factories import make_all_kinds

from .axe import audit
from .pages import in_any_language, rows, settle, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

LANGUAGES = {"en": "ltr", "ar": "rtl"}

# A page's document is the same in each.
MEDIA = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "forced colours": {"color_scheme": "dark", "forced_colors": "active"},
}


@pytest.fixture
def open_looked_at(ada, open_page):
    """Return a function that opens a page as ada, or as another *user*."""

    def open_looked_at(language, path, *, user=ada, **options):
        page = open_page(
            user, path, device=language, locale=language, reduced_motion="reduce",
            **options,
        )  # fmt: skip
        if path != "about:blank":
            assert page.evaluate("document.dir") == LANGUAGES[language]
            wait_for_status(page, "open")
        return page

    return open_looked_at


def check(page, *shown, part=None):
    """Have axe look at *page*, of which *shown* must be visible, in every way."""
    for element in shown:
        expect(element).to_be_visible()
    for name, media in MEDIA.items():
        page.emulate_media(**media)
        assert (name, audit(page, part)) == (name, [])


def toasts(page):
    return page.locator("notification-toast:not([data-leaving])")


@in_any_language
def test_the_bell_its_panel_and_a_list_pass(ada, bob, open_looked_at):
    """Check 30."""
    make_all_kinds(ada, 52)
    for language in LANGUAGES:
        page = open_looked_at(language, "/site/", user=bob)
        toggle, panel = page.locator("[data-toggle]"), page.locator("[data-panel]")
        check(page, toggle, page.locator("main [data-empty]"))
        toggle.click()
        check(page, panel, panel.locator("[data-empty]"))

        page = open_looked_at(language, "/notifications/?q=nothing")
        page.locator("[data-toggle]").click()
        for count in (30, 50):
            page.locator("[data-panel] [data-more]").click()
            expect(rows(page)).to_have_count(count)
        check(page, rows(page).last, part="notification-bell")


@in_any_language
def test_messages_and_toasts_pass(ada, open_looked_at):
    """Check 30: what could not be saved, what can be undone, toasts of all levels."""
    make_all_kinds(ada, 5)
    for language in LANGUAGES:
        page = open_looked_at(language, "about:blank", expecting=["500"])
        page.clock.install()
        page.goto("/site/")
        wait_for_status(page, "open")
        settle(page)
        main = page.locator("main")
        page.route("**/api/archived/", lambda route: route.fulfill(status=500))
        main.locator("[data-action=archive]").first.click()
        check(page, main.locator("[data-problem]"))
        page.unroute("**/api/archived/")
        main.locator("[data-action=archive]").first.click()
        check(page, main.locator("[data-undo]"))

        for level in (Level.INFO, Level.ERROR):
            notify(ada, f"A toast: {level.label}", level=level, url="/users/")
        expect(toasts(page)).to_have_count(2)
        toasts(page).last.hover()  # time stands still
        check(page, toasts(page).first)
        page.clock.fast_forward(2_100)  # no more a burst
        for level in (Level.SUCCESS, Level.WARNING):
            notify(ada, f"A toast: {level.label}", level=level)
        expect(toasts(page)).to_have_count(4)  # one of them counts what has gone
        check(page, page.locator("[data-toasts] a[href='/notifications/']"))


@in_any_language
def test_the_inbox_passes(ada, open_looked_at):
    """Check 30: its views, ticked rows, a search that finds nothing."""
    make_all_kinds(ada, 9)
    Inbox(ada).archive([Inbox(ada).page().items[-1].pk])
    for language in LANGUAGES:
        page = open_looked_at(language, "/notifications/")
        main = page.locator("main")
        main.locator("[data-tick]").nth(1).check()
        check(page, main.locator("[data-bulk] [data-action=archive]"))
        for view, action in {"unread": "read", "archived": "unarchive"}.items():
            page = open_looked_at(language, f"/notifications/?view={view}")
            check(page, page.locator(f"[name=only][data-action={action}]").last)
        page = open_looked_at(language, "/notifications/?q=nothing")
        check(page, page.locator("main [data-empty]"))
