from unittest import mock

import pytest
from django.db import OperationalError
from django.urls import reverse

from notifications import health
from notifications.bus import bus
from tests.factories import log_in


@pytest.fixture
def url():
    return reverse("notifications:health")


def test_says_ok_to_anybody_and_nothing_else(client, db, url):
    response = client.get(url)

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_tells_staff_the_details(client, staff, url):
    client.cookies.load(log_in(staff))

    assert client.get(url).json() == {
        "status": "ok",
        "database": True,
        "bus": True,
        "streams": 0,
    }


def test_tells_other_users_no_details(client, ada, url):
    client.cookies.load(log_in(ada))

    assert client.get(url).json() == {"status": "ok"}


def test_is_degraded_without_a_channel_layer(client, staff, url, settings):
    settings.CHANNEL_LAYERS = {}
    bus.close()
    client.cookies.load(log_in(staff))

    response = client.get(url)

    assert response.status_code == 503
    assert response.json() == {
        "status": "degraded",
        "database": True,
        "bus": False,
        "streams": 0,
    }


def test_is_degraded_and_tells_nobody_more_without_a_database(client, staff, url):
    client.cookies.load(log_in(staff))
    connections = mock.MagicMock()
    connections.__getitem__.return_value.cursor.side_effect = OperationalError("gone")

    with mock.patch.object(health, "connections", connections):
        response = client.get(url)

    assert (response.status_code, response.json()) == (503, {"status": "degraded"})


def test_only_answers_get(client, db, url):
    assert client.post(url).status_code == 405
