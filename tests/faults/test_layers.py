"""What a Redis layer does to a listener that has done nothing wrong."""

import asyncio
import threading
import time

import pytest
from asgiref.sync import sync_to_async

from notifications import wire
from notifications.api import notify
from notifications.bus import bus
from tests.servers import redis_layer
from tests.sse import titles
from tests.waiting import aeventually, eventually

pytestmark = [pytest.mark.redis, pytest.mark.faults]


@pytest.fixture
def heard():
    return []


def listen(settings, url, heard, layer="core", **config):
    layers = redis_layer(layer, url)
    layers["default"]["CONFIG"] |= config
    settings.CHANNEL_LAYERS = layers
    bus.listen(lambda message: heard.append(message["kind"]), lambda healthy: None)
    eventually(lambda: bus.healthy)


def passed(seconds):
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > end, within=seconds + 5)


def test_a_membership_that_redis_lets_expire_is_renewed_in_time(
    redis_server, settings, monkeypatch, heard
):
    monkeypatch.setattr(wire, "CANARY_SECONDS", 0.2)
    listen(settings, redis_server.url, heard, group_expiry=1)

    passed(2.5)
    bus.send("after")

    eventually(lambda: heard == ["after"])


def test_who_leaves_is_sent_nothing_more(redis_server, settings, heard):
    for _ in range(3):
        listen(settings, redis_server.url, heard)
        bus.close()

    listen(settings, redis_server.url, heard)

    assert redis_server.command("ZCARD", f"asgi:group:{wire.group()}") == ":1"


@pytest.mark.slow
def test_a_read_that_redis_py_times_out_costs_nothing_but_another_read(
    redis_server, settings, monkeypatch, heard
):
    # As plainly as most projects write it: redis-py 8 gives up after 5 s.
    monkeypatch.setattr(wire, "CANARY_SECONDS", 8)
    monkeypatch.setattr(wire, "STUCK_SECONDS", 30)
    health = []
    monkeypatch.setattr(bus, "_feel", health.append)
    listen(settings, redis_server.url, heard, hosts=[redis_server.url])

    passed(7)
    bus.send("after")

    eventually(lambda: heard == ["after"])
    assert health == [True]
    assert bus.healthy


@pytest.mark.django_db(transaction=True)
def test_more_than_the_layer_keeps_arrives_all_the_same(
    redis_server, settings, ada, open_stream
):
    # 100 a process, dropped silently beyond that: the sweep has the rest.
    settings.CHANNEL_LAYERS = redis_layer("core", redis_server.url)
    settings.CHANNEL_LAYERS["default"]["CONFIG"]["capacity"] = 5
    settings.NOTIFICATIONS_POLL_SECONDS = 2

    @sync_to_async
    def send():
        for number in range(60):
            notify(ada, str(number))

    async def run():
        async with asyncio.timeout(40), open_stream(ada, within=30) as stream:
            await stream.take(2)
            await aeventually(lambda: bus.healthy)
            await send()
            await stream.take(60, "notification")
            return titles(stream.events)

    assert sorted(set(asyncio.run(run())), key=int) == [str(n) for n in range(60)]


@pytest.mark.django_db(transaction=True)
def test_streams_of_two_event_loops_in_one_process_both_hear(ada, open_stream):
    ready, found = threading.Barrier(3, timeout=20), []

    async def one():
        async with asyncio.timeout(20), open_stream(ada) as stream:
            await stream.take(2)
            await aeventually(lambda: bus.healthy)
            await asyncio.to_thread(ready.wait)
            await stream.take(1, "notification")
            found.append(titles(stream.events))

    threads = [threading.Thread(target=asyncio.run, args=(one(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait()
    notify(ada, "for both")
    for thread in threads:
        thread.join(20)

    assert found == [["for both"], ["for both"]]
