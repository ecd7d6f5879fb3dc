"""What can be read, told apart and hit: in both schemes, on small screens, zoomed."""

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.constants import Level
from tests.factories import make_all_kinds, make_notification

from . import looks
from .pages import in_any_language, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

SCHEMES = ["light", "dark"]

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamter " * 2


@pytest.fixture
def full(ada):
    """Notifications of all kinds, and what is in the way of a narrow page."""
    make_all_kinds(ada, 8)
    make_notification(ada, LONG, body=LONG, url="/users/", actor_text=LONG[:60])


@pytest.fixture
def show(ada, open_page):
    """Return a function that opens ada's page at *path*, on which nothing moves."""

    def show(path, **options):
        page = open_page(ada, path, reduced_motion="reduce", **options)
        wait_for_status(page, "open")
        return page

    return show


def toast(page, user, *levels):
    """Have *page* show toasts of *levels*, and keep them by pointing at one."""
    for level in levels:
        notify(user, f"A toast: {level.label}", body=LONG, level=level, url="/users/")
    toasts = page.locator("notification-toast")
    expect(toasts).to_have_count(len(levels))
    toasts.first.hover()


def open_panel(page):
    page.locator("[data-toggle]").click()
    expect(page.locator("[data-panel]")).to_be_visible()


def check_contrast(page, *shown):
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert (scheme, looks.faint(page, *shown)) == (scheme, [])


@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_BADGE_COUNTS": "unread"}])
def test_all_is_legible_and_told_from_what_is_around_it_in_both_schemes(
    ada, full, show
):
    """Check 31."""
    always = [
        ".notification-bell",
        ".notification-badge",
        ".notification-level",
        ".notification-action",
        ".notification:not([data-read])::before",
    ]
    page = show("/site/")
    toast(page, ada, Level.ERROR, Level.WARNING, Level.SUCCESS)
    check_contrast(page, *always)
    open_panel(page)
    check_contrast(page, *always, ".notification-switch::before")
    page = show("/notifications/")
    page.locator("main [data-tick]").first.check()
    check_contrast(page, *always, ".notification-field")


def tab_through(page):
    """Press Tab until the page has been left; return what has the focus each time."""
    stops = []
    for _ in range(100):
        page.keyboard.press("Tab")
        stop = looks.ring(page)
        if stop["on"].startswith("body"):
            return stops
        stops.append(stop)
    raise AssertionError(f"The focus goes round: {stops[-10:]}")


def test_what_has_the_focus_is_framed_in_both_schemes(full, show):
    """Check 31."""
    for scheme in SCHEMES:
        page = show("/notifications/", device=scheme, color_scheme=scheme)
        open_panel(page)
        in_panel = tab_through(page)
        page.keyboard.press("Escape")
        page.locator("[data-tick]").first.check()
        on_page = tab_through(page)

        for stops in (in_panel, on_page):
            assert len(stops) > 20
            assert all(stop["isOurs"] for stop in stops)
            assert [stop for stop in stops if stop["width"] < 2] == []
            assert [stop for stop in stops if stop["contrast"] < 3] == []


def check_fit(page):
    """Have nothing of ours stick out at a side, nor be too small to hit."""
    assert looks.sideways(page) == [0, []]
    assert looks.small(page) == []


# 1280 by 1024 at 400 % is 320 by 256.
@in_any_language
@pytest.mark.parametrize("height", [640, 256])
def test_on_320_pixels_nothing_is_cut_off_and_all_can_be_reached(
    height, ada, full, show
):
    """Check 31."""
    size = {"width": 320, "height": height}
    for language in ("en", "ar"):
        page = show("/site/", device=language, locale=language, viewport=size)
        check_fit(page)
        toast(page, ada, Level.ERROR, Level.ERROR, Level.ERROR)
        check_fit(page)
        for count in (2, 1, 0):
            page.locator("[data-close]").first.click()
            expect(page.locator("notification-toast")).to_have_count(count)

        open_panel(page)
        check_fit(page)
        panel = page.locator("[data-panel]")
        expect(panel).to_be_in_viewport(ratio=1)
        # Only what is in view, and not covered, can be clicked.
        panel.locator("[data-action=archive]:visible").last.click()
        panel.locator("[data-desktop]").click(trial=True)
        panel.locator(".notification-footer a").click()
        page.wait_for_url("**/notifications/")

        wait_for_status(page, "open")
        check_fit(page)
        page.locator("[data-tick]").first.check()
        check_fit(page)
        assert looks.unreachable(page, "main button, main a") == []


# The longest that anything of ours takes to move, in seconds.
SLOWEST = """() => {
    const seconds = (text) => text.split(",").map(Number.parseFloat);
    const elements = [...document.querySelectorAll("[class*=notification]")];
    return Math.max(...elements.flatMap((element) =>
        [null, "::before", "::after"].flatMap((pseudo) => {
            const style = getComputedStyle(element, pseudo);
            return [
                ...seconds(style.transitionDuration),
                ...seconds(style.animationDuration),
            ];
        })));
}"""

EDGES = """parts => parts.map((part) =>
    getComputedStyle(document.querySelector(part)).borderTopStyle)"""


def test_less_motion_and_forced_colours_are_heeded(ada, full, show):
    """Check 25, and what has a shadow or a background keeps an edge."""
    page = show("/site/")
    toast(page, ada, Level.ERROR)
    open_panel(page)

    assert page.evaluate(SLOWEST) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(SLOWEST) > 0

    edged = [
        ".notification-panel",
        ".notification-badge",
        ".notification-level",
        ".notification-toast-card",
    ]
    assert page.evaluate(EDGES, edged) == ["none"] * 4
    page.emulate_media(forced_colors="active")
    assert page.evaluate(EDGES, edged) == ["solid"] * 4
    bar, card = page.evaluate(
        """() => [
            getComputedStyle(document.querySelector(
                ".notification:not([data-read])"), "::before").backgroundColor,
            getComputedStyle(document.querySelector(
                ".notification-panel")).backgroundColor,
        ]"""
    )
    assert bar != card
