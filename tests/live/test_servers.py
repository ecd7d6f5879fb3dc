"""Streams through real servers, over real sockets."""

import pytest
from django.db import connection

from notifications.api import notify
from notifications.events import Cursor
from tests.factories import log_in, make_notification, make_users
from tests.servers import NO_SWEEP, database_connections, redis_layer, run_command
from tests.sse import SSEClient, names, titles
from tests.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

both_servers = pytest.mark.parametrize("kind", ["daphne", "uvicorn"])


def stream(server, user, **options):
    url = f"{server.url}/notifications/stream/"
    return SSEClient(url, cookies=log_in(user), **options)


@both_servers
def test_a_stream_starts_at_once_and_nothing_on_the_way_may_keep_it(
    kind, ada, live_server_process
):
    server = live_server_process(kind)

    with stream(server, ada) as client:
        client.take(2)

    assert client.status == 200
    assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert client.headers["cache-control"] == "private, no-store, no-transform"
    assert client.headers["x-accel-buffering"] == "no"
    assert client.headers.get("content-encoding", "identity") == "identity"
    assert names(client.events) == ["hello", "state"]
    assert client.raw.startswith(b"retry: ")


@both_servers
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_are_refused_and_do_not_hang(
    method, kind, ada, live_server_process
):
    server = live_server_process(kind)

    with stream(server, ada, method=method) as client:
        assert client.status == 405


@both_servers
def test_a_client_that_comes_back_has_what_it_missed_in_order_and_once(
    kind, ada, live_server_process
):
    # No wire joins the test and the server, so what comes live is swept.
    server = live_server_process(kind, settings={"NOTIFICATIONS_POLL_SECONDS": 0.2})
    with stream(server, ada) as client:
        client.take(2)
        make_notification(ada, "first", announced_at=None)
        [first] = client.take(1, "notification")
    for title in ("one", "two", "three"):
        make_notification(ada, title)

    with stream(server, ada, last_event_id=client.cursor) as client:
        events = client.take(5)

    assert titles([first]) == ["first"]
    assert names(events) == ["hello", *["notification"] * 3, "state"]
    assert titles(events) == ["one", "two", "three"]


@both_servers
def test_cut_after_each_single_block_it_loses_nothing(kind, ada, live_server_process):
    server = live_server_process(kind, settings={"NOTIFICATIONS_OVERLAP_SECONDS": 0})
    rows = [make_notification(ada, str(number)) for number in range(15)]
    cursor, had = str(Cursor(rows[0].cursor.microseconds - 1)), []
    cookies = log_in(ada)

    for _ in range(20):
        url = f"{server.url}/notifications/stream/"
        with SSEClient(url, cookies=cookies, last_event_id=cursor) as client:
            [hello, event] = client.take(2)
        assert hello.id == cursor
        cursor = client.cursor
        had.append(event)
        if event.name == "state":
            break

    assert titles(had) == [str(number) for number in range(15)]


@both_servers
def test_who_leaves_is_gone_from_the_hub(kind, ada, live_server_process):
    server = live_server_process(kind)
    with stream(server, ada) as client:
        client.take(2)
        assert server.counts["streams"] == 1

    eventually(lambda: server.counts["streams"] == 0)


@pytest.mark.redis
@pytest.mark.parametrize("layer", ["pubsub", "core"])
def test_what_a_process_sends_that_lives_half_a_second_is_heard_each_time(
    layer, ada, redis_server, live_server_process
):
    cell = {"redis_url": redis_server.url, "layer": layer}
    server = live_server_process(**cell, settings=NO_SWEEP)
    # Each takes a second of a processor. Nothing of it depends on the database.
    times = 20 if (layer, connection.vendor) == ("pubsub", "sqlite") else 3
    with stream(server, ada) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])

        for number in range(times):
            run_command("notify", ada.get_username(), f"Number {number}", **cell)
            client.take(1, "notification")

        assert titles(client.events) == [f"Number {number}" for number in range(times)]
        counts = server.counts
        assert (counts["live"], counts["swept"]) == (times, 0)


USERS, EACH = 20, 20


@pytest.fixture
def crowd():
    return make_users(USERS)


@pytest.fixture
def everybody_connected(crowd):
    """Return a function that opens a stream of each user on each server."""
    clients = []

    def connect(servers):
        for user in crowd:
            cookies = log_in(user)
            for server in servers:
                url = f"{server.url}/notifications/stream/"
                clients.append(SSEClient(url, cookies=cookies, within=30).connect())
        for client in clients:
            client.answer()
            client.take(2)
        return clients

    yield connect
    for client in clients:
        client.close()


def send_to_each(users):
    for number in range(EACH):
        for user in users:
            notify(user, str(number))


@pytest.mark.redis
@pytest.mark.parametrize("layer", ["pubsub", "core"])
def test_two_processes_deliver_everything_live_and_nothing_by_the_sweep(
    layer, crowd, redis_server, live_server_process, everybody_connected, settings
):
    cell = {"redis_url": redis_server.url, "layer": layer}
    servers = [
        live_server_process("daphne", **cell),
        live_server_process("uvicorn", **cell),
    ]
    settings.CHANNEL_LAYERS = redis_layer(layer, redis_server.url)
    clients = everybody_connected(servers)
    for server in servers:
        eventually(lambda server=server: server.counts["healthy"])

    send_to_each(crowd)

    for client in clients:
        found = titles(client.take(EACH, "notification", within=30))
        # Live, the order is the layer's: the core layer was seen to swap two.
        assert sorted(found, key=int) == [str(number) for number in range(EACH)]
    for server in servers:
        counts = server.counts
        assert (counts["live"], counts["swept"]) == (USERS * EACH, 0)


def test_without_a_bus_two_processes_deliver_everything_by_the_sweep(
    crowd, live_server_process, everybody_connected, settings
):
    overrides = {"CHANNEL_LAYERS": {}, "NOTIFICATIONS_POLL_SECONDS": 0.5}
    settings.CHANNEL_LAYERS = {}
    servers = [
        live_server_process("daphne", settings=overrides),
        live_server_process("uvicorn", settings=overrides),
    ]
    clients = everybody_connected(servers)

    send_to_each(crowd)

    for client in clients:
        found = titles(client.take(EACH, "notification", within=30))
        assert found == [str(number) for number in range(EACH)]
    for server in servers:
        counts = server.counts
        assert (counts["live"], counts["swept"]) == (0, USERS * EACH)


# What an open stream may not hold

STREAMS = 300


def hold_streams(server, clients):
    """Open 300 streams on *server*, ten of a user, and add them to *clients*."""
    url = f"{server.url}/notifications/stream/"
    users = make_users(STREAMS // 10, prefix=server.name)
    # Not all at once: who does not pass the gate within 5 s is refused.
    for start in range(0, len(users), 5):
        opened = [
            SSEClient(url, cookies=cookies, within=30).connect()
            for cookies in map(log_in, users[start : start + 5])
            for _ in range(10)
        ]
        clients += opened
        for client in opened:
            client.answer()
            client.take(2)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "idle_seconds",
    [
        pytest.param(1, marks=pytest.mark.brief),
        pytest.param(60, marks=pytest.mark.slow),
    ],
    ids=lambda n: f"{n}s",
)
def test_open_streams_hold_neither_threads_nor_database_connections(
    idle_seconds, live_server_process
):
    heartbeat_seconds = max(0.5, idle_seconds / 6)
    own = {"NOTIFICATIONS_HEARTBEAT_SECONDS": heartbeat_seconds}
    servers = [
        live_server_process(kind, settings=own) for kind in ("daphne", "uvicorn")
    ]
    for server in servers:
        server.get("/users/")
    threads_before = [server.counts["threads"] for server in servers]

    clients = []
    try:
        for server in servers:
            hold_streams(server, clients)
        # Idle: until the last stream has heard that many seconds of pings.
        pings = round(idle_seconds / heartbeat_seconds)
        clients[-1].take(pings, "ping", within=idle_seconds + 30)
        for server in servers:
            server.get("/users/")
        for server, before in zip(servers, threads_before, strict=True):
            # Not at once: both end after the answer that they were needed for.
            eventually(lambda s=server, b=before: s.counts["threads"] <= b + 10)
            eventually(lambda s=server: database_connections(s.name) <= 2)
        assert [server.counts["streams"] for server in servers] == [STREAMS, STREAMS]
    finally:
        for client in clients:
            client.close()

    for server in servers:
        eventually(lambda server=server: server.counts["streams"] == 0, within=20)
