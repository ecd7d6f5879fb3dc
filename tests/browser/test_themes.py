"""Bell, panel, lists and toasts are light or dark as a site's theme says."""

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from notifications.constants import Level
from tests.factories import make_notification

from .pages import wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

PARTS = [
    ".notification-panel",
    ".notification-list",
    ".notification-toast-card",
    ".notification-inbox .notification-field",
]

# Sets attributes on <html> and on <body>; returns whether ours is light or dark.
LOOK = """([html, body, parts]) => {
    for (const [element, attributes] of [
        [document.documentElement, html], [document.body, body],
    ]) {
        for (const name of ["data-theme", "data-bs-theme", "class"]) {
            element.removeAttribute(name);
        }
        for (const [name, value] of Object.entries(attributes)) {
            element.setAttribute(name, value);
        }
    }
    const seen = new Set();
    for (const element of document.querySelectorAll(parts)) {
        const { backgroundColor } = getComputedStyle(element);
        const [red] = backgroundColor.match(/\\d+/);
        seen.add(Number(red) > 127 ? "light" : "dark");
    }
    return [...seen].join();
}"""

DARK = [{"data-theme": "dark"}, {"data-bs-theme": "dark"}, {"class": "dark"}]
LIGHT = [{"data-theme": "light"}, {"data-bs-theme": "light"}]
AUTO = [{}, {"data-theme": "auto"}, {"data-bs-theme": "auto"}, {"class": "other"}]


@pytest.fixture
def theme(ada, open_page):
    """Return a function that sets attributes and returns what all of ours is then."""
    make_notification(ada, "Hello")
    inbox = open_page(ada, "/notifications/", reduced_motion="reduce")
    page = open_page(ada, "/site/")
    wait_for_status(page, "open")
    notify(ada, "An error", level=Level.ERROR)
    expect(page.locator("notification-toast")).to_be_visible()
    for part in PARTS[:3]:
        assert page.locator(part).count()
    assert inbox.locator(PARTS[3]).count()

    def theme(html, body, system):
        looks = set()
        for each in (inbox, page):
            each.emulate_media(color_scheme=system)
            looks.add(each.evaluate(LOOK, [html, body, ",".join(PARTS)]))
        return ",".join(looks)

    return theme


def test_a_theme_on_the_page_or_on_an_ancestor_decides_and_the_nearest_does(theme):
    for dark in DARK:
        assert theme(dark, {}, "light") == "dark", dark
        assert theme({}, dark, "light") == "dark", dark
    for light in LIGHT:
        assert theme(light, {}, "dark") == "light", light
        assert theme({}, light, "dark") == "light", light
    assert theme({"data-theme": "light"}, {"data-theme": "dark"}, "light") == "dark"
    assert theme({"class": "dark"}, {"data-bs-theme": "light"}, "dark") == "light"
    assert theme({"data-theme": "dark"}, {"data-theme": "auto"}, "light") == "light"


def test_where_no_theme_decides_it_is_as_the_page_is(theme):
    for auto in AUTO:
        for system in ("light", "dark"):
            assert theme(auto, {}, system) == system, auto
