"""The bell in the admin's header: as elsewhere, and it disturbs nothing there."""

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from tests.factories import has_field, make_all_kinds, make_user

from . import looks
from .axe import audit
from .pages import MIDDLEWARE, badge, wait_for_status

pytestmark = [
    pytest.mark.browser,
    pytest.mark.live,
    pytest.mark.redis,
    pytest.mark.skipif(
        not has_field("is_superuser"), reason="This user model cannot enter the admin."
    ),
]

THEMES = {"light": "dark", "dark": "light", "auto": "dark"}
"""Each with what the system has: auto follows it, the others do not."""


@pytest.fixture
def boss(db):
    return make_user("admin", is_staff=True, is_superuser=True)


@pytest.mark.parametrize(
    "site_settings",
    [{"MIDDLEWARE": MIDDLEWARE, "NOTIFICATIONS_BADGE_COUNTS": "unread"}],
    ids=["any language"],
)
def test_in_every_theme_direction_and_width_it_is_as_elsewhere(boss, open_page):
    """Under default-src 'self'; what the page complains of fails the test."""
    make_all_kinds(boss, 6)
    for language, width in {"en": 1200, "ar": 360}.items():
        page = open_page(
            boss,
            "/admin/auth/group/",
            device=language,
            locale=language,
            viewport={"width": width, "height": 720},
            reduced_motion="reduce",
        )
        wait_for_status(page, "open")
        notify(boss, "Live", url="/users/")
        expect(badge(page)).to_be_visible()
        page.locator("[data-toggle]").click()
        panel = page.locator("[data-panel]")
        expect(panel).to_contain_text("Live")
        expect(panel).to_be_in_viewport(ratio=1)
        lights = {}
        for theme, system in THEMES.items():
            page.emulate_media(color_scheme=system)
            page.evaluate(
                "theme => { document.documentElement.dataset.theme = theme; }", theme
            )
            lights[theme] = panel.evaluate(
                "panel => getComputedStyle(panel).backgroundColor"
            )
            assert (theme, looks.faint(page, ".notification-badge")) == (theme, [])
            assert (theme, audit(page, "notification-bell")) == (theme, [])
        assert lights["dark"] == lights["auto"] != lights["light"]
        assert looks.small(page) == []
        assert page.locator("[data-all], .notification-footer a").evaluate_all(
            """links => links.map((link) => {
                const { textTransform, borderBottomStyle } = getComputedStyle(link);
                return `${textTransform} ${borderBottomStyle}`;
            })"""
        ) == ["none none", "none none"]

        with_it = page.locator("#header").bounding_box()
        page.evaluate("document.querySelector('notification-bell').remove()")
        assert page.locator("#header").bounding_box() == with_it
