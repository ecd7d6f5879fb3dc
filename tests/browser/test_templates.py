"""One partial is what rows look like, whoever makes them."""

import pytest
from django.conf import settings
from playwright.sync_api import expect

from notifications import categories
from notifications.api import notify
from tests.factories import make_notification

from .pages import wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

ITEM = """
{% extends "notifications/_item.html" %}
{% block content %}
  <p>Own: <b data-slot="title">{{ notification.title }}</b></p>
{% endblock content %}
"""
GENERAL = """
{% extends "notifications/_item.html" %}
{% block icon %}<i>General</i>{% endblock icon %}
"""  # and that extends the one above


@pytest.fixture
def site_settings(tmp_path):
    """Templates that a project puts before the app's."""
    own = tmp_path / "notifications"
    (own / "items").mkdir(parents=True)
    (own / "_item.html").write_text(ITEM)
    (own / "items" / "general.html").write_text(GENERAL)
    [engine] = settings.TEMPLATES
    directories = [str(path) for path in (tmp_path, *engine["DIRS"])]
    return {"TEMPLATES": [{**engine, "DIRS": directories}]}


def test_an_overridden_partial_restyles_stored_and_live_rows_alike(
    ada, open_page, monkeypatch
):
    """Check 21."""
    offers = categories.Category("offers", "Offers")
    monkeypatch.setitem(categories._categories, "offers", offers)
    for category in ("general", "offers"):
        make_notification(ada, f"Stored {category}", category=category)
    page = open_page(ada, "/notifications/")
    wait_for_status(page, "open")

    for category in ("general", "offers"):
        notify(ada, f"Live {category}", category=category)

    rows = page.locator("main [data-rows] [data-notification]:visible")
    expect(rows.locator("p")).to_have_text(
        [
            "Own: Live offers",
            "Own: Live general",
            "Own: Stored offers",
            "Own: Stored general",
        ]
    )
    general = rows.filter(has=page.locator("i", has_text="General"))
    expect(general.locator("b")).to_have_text(["Live general", "Stored general"])
