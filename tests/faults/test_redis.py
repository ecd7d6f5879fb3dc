"""Redis stopped, killed, flushed, slow, never there: the business never feels it."""

import pytest

from notifications.api import notify, send_event
from notifications.bus import bus
from tests.factories import log_in
from tests.servers import REDIS_LAYERS, free_port, redis_layer
from tests.sse import SSEClient, names, titles
from tests.timing import Stopwatch
from tests.waiting import eventually, patience

pytestmark = [pytest.mark.redis, pytest.mark.live, pytest.mark.faults]

POLL_SECONDS = 3
# What DESIGN promises with the wire down.
CONVERGENCE_SECONDS = POLL_SECONDS + 2
BLOCKED_MS = 250

FAULTS = {
    "frozen": lambda redis: redis.freeze(),
    "killed": lambda redis: redis.kill(),
    "slow": lambda redis: redis.command("CLIENT", "PAUSE", "8000", "ALL"),
    "flushed": lambda redis: redis.command("FLUSHALL"),
    "cut": lambda redis: redis.command("CLIENT", "KILL", "TYPE", "pubsub"),
}
MENDS = {
    "frozen": lambda redis: redis.thaw(),
    "killed": lambda redis: redis.start(),
}


@pytest.fixture(params=REDIS_LAYERS)
def layer(request):
    return request.param


def timed_notify(user, title):
    """Notify, and assert that the bus did not keep the caller."""
    with Stopwatch() as watch:
        notify(user, title)
    assert watch.blocked_ms < patience(BLOCKED_MS)


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_redis_does_nothing_blocks_and_everything_arrives(
    fault, layer, ada, redis_server, live_server_process, settings
):
    settings.CHANNEL_LAYERS = redis_layer(layer, redis_server.url)
    server = live_server_process(
        redis_url=redis_server.url,
        layer=layer,
        settings={"NOTIFICATIONS_POLL_SECONDS": POLL_SECONDS},
    )
    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=log_in(ada)) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])
        notify(ada, "before")
        client.take(1, "notification", within=5)

        FAULTS[fault](redis_server)
        for number in range(5):
            timed_notify(ada, f"during {number}")
        client.take(5, "notification", within=CONVERGENCE_SECONDS)
        if fault in MENDS or fault == "slow":
            eventually(lambda: not server.counts["healthy"], within=20)
            MENDS.get(fault, lambda redis: None)(redis_server)
        eventually(lambda: server.counts["healthy"], within=20)
        notify(ada, "after")
        client.take(1, "notification", within=CONVERGENCE_SECONDS)

        expected = ["before", *(f"during {number}" for number in range(5)), "after"]
        assert sorted(set(titles(client.events))) == sorted(expected)
        if fault in MENDS:
            assert "refresh" in names(client.events) or client.take(
                1, "refresh", within=5
            )


def test_what_is_sent_after_the_first_hello_of_a_process_is_heard(
    layer, ada, redis_server, live_server_process, settings
):
    settings.CHANNEL_LAYERS = redis_layer(layer, redis_server.url)
    server = live_server_process(redis_url=redis_server.url, layer=layer)

    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=log_in(ada)) as client:
        client.take(1, "hello")
        send_event(ada, "progress", {"value": 40})  # stored nowhere: no sweep helps

        client.take(1, "progress", within=5)


def test_without_any_redis_the_site_starts_and_delivers(
    layer, ada, live_server_process, settings
):
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    settings.CHANNEL_LAYERS = redis_layer(layer, nowhere)
    server = live_server_process(
        redis_url=nowhere,
        layer=layer,
        settings={"NOTIFICATIONS_POLL_SECONDS": POLL_SECONDS},
    )

    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=log_in(ada)) as client:
        client.take(2)
        for number in range(3):
            timed_notify(ada, str(number))
        client.take(3, "notification", within=CONVERGENCE_SECONDS)

    assert titles(client.events) == ["0", "1", "2"]
    assert not bus.healthy
    assert server.counts["live"] == 0
