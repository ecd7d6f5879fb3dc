"""Views that notify, whatever Redis does: answered, at once, stored, delivered."""

import pytest

from notifications.models import Notification
from tests.factories import log_in
from tests.servers import NO_SWEEP, REDIS_LAYERS
from tests.sse import SSEClient, titles
from tests.waiting import eventually, patience

pytestmark = [pytest.mark.redis, pytest.mark.live, pytest.mark.faults]

POLL_SECONDS = 2
# What DESIGN promises with the wire down.
CONVERGENCE_SECONDS = POLL_SECONDS + 2
LIVE_SECONDS = 1
# Less than what is waited for Redis anywhere, also where five processes share one.
BLOCKED_MS = 250
# In a row, so that a queue that fills would show.
CALLS = 10

FAULTS = {
    "frozen": lambda redis: redis.freeze(),
    "killed": lambda redis: redis.kill(),
    "absent": lambda redis: None,
}


@pytest.fixture(params=REDIS_LAYERS)
def layer(request):
    return request.param


@pytest.fixture(params=["sync", "async"])
def view(request):
    return request.param


@pytest.fixture
def serve(layer, live_server_process):
    def serve(redis, **settings):
        settings = {"NOTIFICATIONS_POLL_SECONDS": POLL_SECONDS} | settings
        return live_server_process(redis_url=redis.url, layer=layer, settings=settings)

    return serve


def stream_of(server, user):
    return SSEClient(f"{server.url}/notifications/stream/", cookies=log_in(user))


def publish(server, view, word):
    """Have *view* notify ten times; return titles, and what the longest was kept."""
    published = [f"{word}-{number}" for number in range(CALLS)]
    # get() fails on any answer but 200.
    answers = [server.get(f"/notify/{view}/{title}/") for title in published]
    return published, max(answer["blocked_ms"] for answer in answers)


def stored():
    return sorted(Notification.objects.values_list("title", flat=True))


def test_while_redis_is_well_what_a_view_publishes_arrives_at_once(
    view, serve, ada, redis_server
):
    server = serve(redis_server, **NO_SWEEP)
    with stream_of(server, ada) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])

        published, blocked_ms = publish(server, view, "now")
        client.take(CALLS, "notification", within=LIVE_SECONDS)

    assert blocked_ms < patience(BLOCKED_MS)
    assert stored() == sorted(titles(client.events)) == published
    counts = server.counts
    assert (counts["live"], counts["swept"]) == (CALLS, 0)


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_redis_does_a_view_answers_at_once_and_its_notifications_arrive(
    fault, view, serve, ada, redis_server
):
    if fault == "absent":
        redis_server.kill()
    server = serve(redis_server)
    with stream_of(server, ada) as client:
        client.take(2)
        if fault != "absent":
            eventually(lambda: server.counts["healthy"])

        FAULTS[fault](redis_server)
        published, blocked_ms = publish(server, view, "during")
        client.take(CALLS, "notification", within=CONVERGENCE_SECONDS)

    assert blocked_ms < patience(BLOCKED_MS)
    assert stored() == sorted(titles(client.events)) == published
    counts = server.counts
    assert (counts["live"], counts["swept"]) == (0, CALLS)
