"""Broadcasts through several real servers: whom they reach, when, and who may know."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from notifications import broadcasts, clock
from notifications.api import broadcast
from notifications.models import Broadcast, Notification, Receipt
from tests.factories import log_in, make_notification, make_user, make_users
from tests.servers import redis_layer
from tests.sse import SSEClient, ids, names, titles
from tests.waiting import eventually, patience

pytestmark = [
    pytest.mark.live,
    pytest.mark.redis,
    pytest.mark.django_db(transaction=True),
]

CROWD = 500
STAFF, EDITORS, CHOSEN = 40, 60, 25


@pytest.fixture
def redis(redis_server, settings):
    """A Redis that this process, too, puts on what it says."""
    settings.CHANNEL_LAYERS = redis_layer("pubsub", redis_server.url)
    return redis_server


@pytest.fixture
def connected():
    """Return a function that opens a stream of a user on a server."""
    clients = []

    def connect(user, server):
        url = f"{server.url}/notifications/stream/"
        client = SSEClient(url, cookies=log_in(user), within=30).connect()
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def crowd():
    """500 users: 40 of them staff, 60 others editors, 25 others chosen."""
    users = make_users(CROWD)
    staff, rest = users[:STAFF], users[STAFF:]
    get_user_model().objects.filter(pk__in=[user.pk for user in staff]).update(
        is_staff=True
    )
    editors = Group.objects.create(name="editors")
    editors.user_set.set(rest[:EDITORS])
    chosen = rest[EDITORS : EDITORS + CHOSEN]
    return {
        "everyone": users,
        "staff": staff,
        f"group:{editors.pk}": rest[:EDITORS],
        "users": chosen,
    }


def batched(users, size):
    return [users[start : start + size] for start in range(0, len(users), size)]


def healthy(servers):
    for server in servers:
        eventually(lambda server=server: server.counts["healthy"], within=20)


def what_can_be_fetched(user, row):
    """Return what *user* gets of *row* by any endpoint there is."""
    client = Client()
    client.force_login(get_user_model().objects.get(pk=user.pk))
    api = "/notifications/api"
    json_please = {"HTTP_ACCEPT": "application/json"}
    since = f"{row.announced_at.timestamp() - 30:.0f}000000-0"
    found = [
        client.get("/notifications/").text,
        client.get("/notifications/", {"q": row.title}).text.count(row.title) > 1,
        client.get("/").text,
        client.get("/banner/").text,
        client.get(f"{api}/notifications/").text,
        client.get(f"{api}/notifications/", {"view": "archived"}).text,
        client.get(f"{api}/state/", {"since": since}).text,
    ]
    state = client.get(f"{api}/state/", {"shown": row.pk}).json()
    found.append(row.pk in state["read"] + state["unread_ids"])
    for name in ("read", "unread", "archived", "unarchived"):
        answer = client.post(f"{api}/{name}/", {"id": row.pk}, **json_please)
        found.append(answer.status_code != 404)
    client.post(f"{api}/read/", {"all": "1"}, **json_please)
    return [each for each in found if each is True or row.title in str(each)]


def test_each_of_three_audiences_is_reached_once_and_nobody_else_learns_of_it(
    crowd, redis, live_server_process, connected
):
    cell = {"redis_url": redis.url}
    servers = [live_server_process(kind, **cell) for kind in ("daphne", "uvicorn")]
    clients = {}
    # Not all at once: each needs a connection to the database while it starts.
    for batch in batched(crowd["everyone"], 20):
        opened = [connected(user, servers[user.pk % 2]) for user in batch]
        for user, client in zip(batch, opened, strict=True):
            client.answer()
            client.take(2)
            clients[user.pk] = client
    healthy(servers)

    rows = {
        key: broadcast(f"For {key} only", audience=key)
        for key in crowd
        if key not in {"users", "everyone"}
    }
    rows["users"] = broadcast(
        "For users only", audience="users", users=crowd["users"], placement="banner"
    )
    rows["everyone"] = broadcast("For all")
    reached = {key: {user.pk for user in users} for key, users in crowd.items()}

    for pk, client in clients.items():
        while "For all" not in titles(client.events):
            client.take(1, "notification")
        wanted = {rows[key].pk for key in rows if pk in reached[key]}
        assert sorted(ids(client.events)) == sorted(wanted)

    for key in ("staff", "users", f"group:{Group.objects.get().pk}"):
        row = Notification.objects.get(pk=rows[key].pk)
        outsider = next(u for u in crowd["everyone"] if u.pk not in reached[key])
        insider = crowd[key][0]
        assert what_can_be_fetched(outsider, row) == []
        assert what_can_be_fetched(insider, row) != []
        url = f"{servers[0].url}/notifications/stream/"
        with SSEClient(url, cookies=log_in(outsider), cursor=before(row)) as late:
            late.take(1, "state")
        assert row.pk not in ids(late.events)

    for key, row in rows.items():
        eventually(
            lambda key=key, row=row: (
                Broadcast.objects.get(pk=row.pk).delivered_count == len(reached[key])
            )
        )
        numbers = broadcasts.numbers(Broadcast.objects.get(pk=row.pk))
        assert numbers.audience == len(reached[key])
        receipts = Receipt.objects.filter(notification=row.pk)
        assert numbers.read == receipts.filter(read_at__isnull=False).count()
        assert numbers.dismissed == receipts.filter(archived_at__isnull=False).count()


def before(row):
    """Return a cursor from a moment before *row* was announced."""
    microseconds = row.cursor.microseconds - 1_000_000
    return f"{microseconds}-0"


def make_scheduled(**fields):
    row = make_notification(
        "everyone", "Maintenance", publish_at=None, announced_at=None, **fields
    )
    return Broadcast.objects.get(pk=row.pk)


@pytest.fixture
def four(live_server_process, connected, redis):
    """Return a function that starts four processes, a page open on each."""

    def four(**overrides):
        servers = [
            live_server_process(kind, redis_url=redis.url, settings=overrides)
            for kind in ("daphne", "uvicorn", "daphne", "uvicorn")
        ]
        users = [make_user(f"user{number}") for number in range(4)]
        clients = [connected(*pair) for pair in zip(users, servers, strict=True)]
        for client in clients:
            client.answer()
            client.take(2)
        return servers, clients

    return four


def gone(clients, row, since, within):
    """Assert that each page hears in time that *row* is over."""
    for client in clients:
        [removed] = client.take(1, "removed", within=within + 10)
        assert removed.data == {"ids": [row.pk]}
    assert time.monotonic() - since < patience(within)


def test_of_four_processes_one_announces_what_is_due_and_all_take_it_down(four):
    servers, clients = four()
    healthy(servers)
    row = make_scheduled()

    broadcasts.publish(row, at=clock.now() + timedelta(seconds=2))

    for client in clients:
        [event] = client.take(1, "notification", within=20)
        assert event.data["id"] == row.pk
    row.refresh_from_db()
    late = row.announced_at - row.publish_at
    assert timedelta() <= late < timedelta(seconds=patience(2))
    assert sum(server.counts["announced"] for server in servers) == 1

    started = time.monotonic()
    broadcasts.recall(row)
    gone(clients, row, started, within=2)

    # And one that ends by itself.
    end = clock.now() + timedelta(seconds=3)
    ending = broadcast("Short", expires_at=end)
    for client in clients:
        client.take(1, "notification")
    due = time.monotonic() + (end - clock.now()).total_seconds()
    gone(clients, ending, due, within=2)
    assert names(clients[0].events).count("notification") == 2


def test_without_redis_all_of_that_happens_by_the_sweep_in_time(four, redis):
    poll = 3
    servers, clients = four(NOTIFICATIONS_POLL_SECONDS=poll)
    healthy(servers)
    redis.kill()
    for server in servers:
        eventually(lambda server=server: not server.counts["healthy"], within=20)
    row = make_scheduled()

    broadcasts.publish(row, at=clock.now() + timedelta(seconds=1))
    due = time.monotonic() + 1

    for client in clients:
        client.take(1, "notification", within=poll + 20)
    assert time.monotonic() - due < patience(poll + 2)
    assert sum(server.counts["announced"] for server in servers) == 1

    started = time.monotonic()
    broadcasts.recall(row)
    gone(clients, row, started, within=poll + 2)
