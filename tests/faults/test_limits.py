"""One user, one process, one slow reader: what each may cost."""

import contextlib
import socket

import pytest

from notifications.api import send_event
from tests.factories import log_in, make_users
from tests.servers import redis_layer
from tests.sse import SSEClient, names
from tests.waiting import eventually

pytestmark = [pytest.mark.redis, pytest.mark.live, pytest.mark.faults]

MEGABYTE = 1_000_000


def resident(pid):
    """Return the resident memory of a process, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        [kilobytes] = [line.split()[1] for line in status if line.startswith("VmRSS")]
    return int(kilobytes) * 1024


def test_twenty_clients_that_never_read_cost_daphne_little(
    redis_server, live_server_process, settings, transactional_db
):
    settings.CHANNEL_LAYERS = redis_layer("pubsub", redis_server.url)
    server = live_server_process(redis_url=redis_server.url, layer="pubsub")
    users = make_users(20, "slow")
    with contextlib.ExitStack() as stack:
        clients = []
        for user in users:
            client = SSEClient(
                f"{server.url}/notifications/stream/", cookies=log_in(user)
            )
            clients.append(stack.enter_context(client))
            client.take(2)
            client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        eventually(lambda: server.counts["healthy"])
        before = resident(server.pid)

        # 5 MB for each; what is over the limit finds the stream ended.
        text = "x" * 15_000
        for _ in range(5 * MEGABYTE // len(text)):
            send_event(users, "log", {"text": text})
        eventually(lambda: server.counts["streams"] == 0, within=60)

        grown = (resident(server.pid) - before) / len(clients)
    assert grown <= 1.2 * MEGABYTE


def test_a_slow_reader_is_told_when_it_was_too_much(
    redis_server, live_server_process, settings, ada
):
    settings.CHANNEL_LAYERS = redis_layer("pubsub", redis_server.url)
    server = live_server_process(
        redis_url=redis_server.url,
        layer="pubsub",
        settings={"NOTIFICATIONS_MAX_STREAM_BYTES": 100_000},
    )
    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=log_in(ada)) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])

        for number in range(20):
            send_event(ada, "log", {"number": number, "text": "x" * 10_000})
        events = client.rest(within=10)

    assert events[-1].data == {"reason": "limit"}
    assert 9 <= names(events).count("log") <= 17
