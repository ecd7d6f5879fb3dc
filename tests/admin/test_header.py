"""The bell in the admin's header, and where there is none."""

import re
from datetime import datetime

import pytest
from django.conf import settings as project
from django.contrib import admin
from django.test import override_settings
from django.urls import path, reverse

from tests import useradmin  # noqa: F401 (before the admin's URLs are listed)
from tests.factories import has_field, make_notification, make_user

pytestmark = pytest.mark.skipif(
    not has_field("is_superuser"), reason="This user model cannot enter the admin."
)

BELL = "<notification-bell"

# A project that has the app installed and its URLs nowhere.
urlpatterns = [path("admin/", admin.site.urls)]


@pytest.fixture
def boss(client, db):
    user = make_user("admin", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def test_the_header_has_a_bell_before_the_links(boss, client):
    make_notification(boss, "Hello")

    html = client.get(reverse("admin:index")).text

    assert html.count(BELL) == 1
    header = html[html.index('id="user-tools"') : html.index("</header>")]
    assert header.index(BELL) < header.index('id="logout-form"')
    assert 'aria-label="Notifications, 1 unread"' in header


def test_the_bell_leaves_the_title_of_admin_pages_alone(boss, client):
    assert "data-title" not in client.get(reverse("admin:index")).text


def test_a_popup_has_no_bell(boss, client):
    address = reverse("admin:auth_group_changelist")

    assert BELL in client.get(address).text
    assert BELL not in client.get(address, {"_popup": 1}).text


@pytest.mark.parametrize("model", ["notification", "broadcast"])
def test_pages_open_without_time_zone_support(model, boss, client, settings):
    settings.USE_TZ = False
    row = make_notification(boss if model == "notification" else "everyone")
    pages = f"admin:live_notifications_{model}_"

    responses = [
        client.get(reverse(f"{pages}changelist")),
        client.get(reverse(f"{pages}change", args=[row.pk])),
    ]

    for response in responses:
        assert response.status_code == 200
        moments = re.findall(r'(?:datetime|data-publish-at)="([^"]+)"', response.text)
        assert moments
        assert all(datetime.fromisoformat(moment).tzinfo for moment in moments)


def test_who_is_not_signed_in_sees_no_bell(boss, client):
    logged_out = client.post(reverse("admin:logout"))

    assert logged_out.status_code == 200
    assert BELL not in logged_out.text
    assert BELL not in client.get(reverse("admin:login")).text


@override_settings(ROOT_URLCONF=__name__)
def test_where_the_urls_are_not_included_there_is_no_bell(boss, client):
    response = client.get(reverse("admin:index"))

    assert response.status_code == 200
    assert BELL not in response.text
    assert "logout-form" in response.text


def test_after_the_admin_in_the_order_of_apps_nothing_changes(boss, client):
    others = [app for app in project.INSTALLED_APPS if app != "notifications"]
    with override_settings(INSTALLED_APPS=[*others, "notifications"]):
        response = client.get(reverse("admin:index"))

    assert response.status_code == 200
    assert BELL not in response.text


def test_a_projects_own_header_composes_with_it(boss, client, settings, tmp_path):
    own = tmp_path / "admin" / "base_site.html"
    own.parent.mkdir()
    own.write_text(
        '{% extends "admin/base_site.html" %}'
        "{% block branding %}<b>Our own</b>{% endblock %}"
    )
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]

    html = client.get(reverse("admin:index")).text

    assert "<b>Our own</b>" in html
    assert BELL in html
