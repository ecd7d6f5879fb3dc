"""Whatever fails in a stream: the client sees its end, resumes, nothing is lost."""

import pytest

from notifications.api import notify
from tests.factories import log_in
from tests.servers import redis_layer
from tests.sse import SSEClient, titles
from tests.waiting import eventually

pytestmark = [pytest.mark.redis, pytest.mark.live, pytest.mark.faults]


@pytest.fixture(params=["daphne", "uvicorn"])
def server(request, redis_server, live_server_process, settings):
    settings.CHANNEL_LAYERS = redis_layer("pubsub", redis_server.url)
    server = live_server_process(
        request.param,
        redis_url=redis_server.url,
        layer="pubsub",
        settings={"NOTIFICATIONS_HEARTBEAT_SECONDS": 1},
    )
    server.is_broken = True
    return server


def stream_of(server, cookies, **options):
    url = f"{server.url}/notifications/stream/"
    return SSEClient(url, cookies=cookies, **options)


def test_a_stream_that_fails_while_it_writes_ends_and_is_resumed(server, ada):
    cookies = log_in(ada)
    with stream_of(server, cookies) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])
        server.get("/break/write/")
        notify(ada, "missed")

        client.rest(within=2)  # to the end

    server.get("/break/mend/")
    with stream_of(server, cookies, last_event_id=client.cursor) as again:
        again.take(1, "notification")
    assert titles(again.events) == ["missed"]
    assert "broken: write" in server.log
    eventually(lambda: server.counts["streams"] == 0)


def test_a_stream_that_fails_while_it_starts_ends_empty(server, ada):
    server.get("/break/start/")

    with stream_of(server, log_in(ada)) as client:
        assert client.status == 200
        assert client.rest(within=2) == []

    eventually(lambda: server.counts["streams"] == 0)


def test_a_failing_heartbeat_ends_that_stream_and_not_the_heartbeat(server, ada):
    cookies = log_in(ada)
    with stream_of(server, cookies) as client:
        client.take(2)
        server.get("/break/tick/")
        client.rest(within=3)
    server.get("/break/mend/")

    with stream_of(server, cookies) as again:
        again.take(2)
        again.take(1, "ping", within=5)


def test_daphne_lets_go_of_requests_after_streams_have_failed(
    redis_server, live_server_process, ada
):
    server = live_server_process(redis_url=redis_server.url, layer="pubsub")
    server.is_broken = True
    cookies = log_in(ada)
    for where in ("start", "write"):
        server.get(f"/break/{where}/")
        with stream_of(server, cookies) as client:
            client.rest(within=2)
    server.get("/break/mend/")

    for _ in range(20):
        with stream_of(server, cookies) as client:
            client.take(2)

    eventually(lambda: server.counts["streams"] == 0)
    eventually(lambda: server.get("/requests/")["count"] < 10)
