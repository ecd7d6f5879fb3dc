"""When it was: how long ago, on which day, and exactly."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from notifications.api import notify
from tests.factories import make_notification

from .pages import wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

# The test site's own is Vienna.
KIRITIMATI = timedelta(hours=14)


def listed(page):
    return page.locator("main [data-rows] [data-notification]")


def test_times_are_exact_for_machines_and_go_on_for_people(ada, open_page):
    """Check 20."""
    stored = make_notification(ada, "Stored")
    page = open_page(ada, "about:blank")
    page.clock.install()
    page.goto("/notifications/")
    wait_for_status(page, "open")
    [live] = notify(ada, "Live")
    rows = listed(page)
    expect(rows).to_have_count(2)
    times = rows.locator("time")
    expect(times).to_have_text(["now", "now"])
    for index, row in enumerate([live, stored]):
        exactly = times.nth(index).get_attribute("datetime")
        assert datetime.fromisoformat(exactly) == row.publish_at
        assert str(row.publish_at.year) in times.nth(index).get_attribute("title")

    page.clock.fast_forward("03:00")
    expect(times).to_have_text(["3 minutes ago", "3 minutes ago"])

    days = rows.locator("[data-slot=day]:visible")
    expect(days).to_have_text(["Today"])
    page.clock.fast_forward("24:00:00")
    expect(times).to_have_text(["yesterday", "yesterday"])
    expect(days).to_have_text(["Yesterday"])


def test_days_are_those_of_the_readers_time_zone(ada, open_page):
    """Check 20: the browser's where there is a script, else the site's."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0) - timedelta(days=9)
    make_notification(ada, publish_at=noon, announced_at=noon)
    options = {"timezone_id": "Pacific/Kiritimati", "locale": "en-US"}
    page = open_page(ada, "/notifications/", **options)
    day = "[data-slot=day]:visible"

    there = noon + KIRITIMATI
    expect(listed(page).locator(day)).to_have_text(
        f"{there:%B} {there.day}, {there.year}"
    )

    plain = open_page(
        ada, "/notifications/", device="plain", java_script_enabled=False, **options
    )
    assert str(noon.day) in listed(plain).locator(day).text_content()
