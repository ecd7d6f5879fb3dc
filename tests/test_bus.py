import logging
import sys
import threading
import time
import types

import pytest

from notifications import wire
from notifications.bus import QUEUE_LIMIT, Bus, bus
from notifications.wire import THREAD_NAME

from .servers import free_port, redis_layer
from .waiting import eventually


class Ear:
    """Listens to a bus and keeps what it hears."""

    def __init__(self, bus):
        self.bus = bus
        self.messages = []
        self.health = []
        bus.listen(self.messages.append, self.health.append)

    def ready(self):
        eventually(lambda: self.bus.healthy)
        return self

    def heard(self, kind="poke"):
        return [message for message in self.messages if message["kind"] == kind]


@pytest.fixture(
    params=[
        "memory",
        pytest.param("pubsub", marks=pytest.mark.redis),
        pytest.param("core", marks=pytest.mark.redis),
    ]
)
def layer(request, settings):
    """Each layer there is, set as the project's."""
    if request.param != "memory":
        server = request.getfixturevalue("redis_server")
        settings.CHANNEL_LAYERS = redis_layer(request.param, server.url)
    return request.param


@pytest.fixture(params=["pubsub", "core"])
def two_processes(request, redis_server, settings):
    """Two buses that share nothing but Redis, as two processes do."""
    settings.CHANNEL_LAYERS = redis_layer(request.param, redis_server.url)
    first, second = Bus(), Bus()
    yield first, second
    first.close()
    second.close()


def test_what_is_sent_is_heard_with_its_content(layer):
    ear = Ear(bus).ready()
    data = {"title": "Grüße \u2028 \x00", "n": [1, None], "wei": 2**70}
    content = {"to": [["1", 2]], "data": data}

    queued = bus.send("poke", **content)

    assert queued is True
    assert eventually(ear.heard) == [{"kind": "poke", **content}]


def test_a_burst_is_heard_whole(layer):
    ear = Ear(bus).ready()

    for number in range(300):
        bus.send("poke", number=number)

    eventually(lambda: len(ear.heard()) >= 300)
    heard = [message["number"] for message in ear.heard()]
    # No layer promises an order; the core layer was seen to swap two.
    assert sorted(heard) == list(range(300))


def test_senders_in_many_threads_lose_nothing(layer):
    ear = Ear(bus).ready()

    def send(thread):
        for number in range(25):
            bus.send("poke", number=[thread, number])

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    eventually(lambda: len(ear.heard()) >= 200)
    assert len({tuple(message["number"]) for message in ear.heard()}) == 200


def test_whoever_listens_is_told_that_the_wire_carries(layer):
    ear = Ear(bus).ready()

    assert ear.health == [True]


def test_a_bus_that_only_sends_is_not_healthy_for_it_cannot_know(layer):
    bus.send("poke")

    assert bus.flush(5)
    assert not bus.healthy


def test_closing_ends_the_thread_and_the_next_message_starts_another(layer):
    Ear(bus).ready()
    [wire] = [one for one in threading.enumerate() if one.name == THREAD_NAME]
    bus.close()
    wire.join(10)
    assert not wire.is_alive()

    ear = Ear(bus).ready()
    bus.send("poke")

    assert eventually(ear.heard)


@pytest.mark.redis
def test_one_process_hears_the_other(two_processes):
    here, there = two_processes
    ear = Ear(there).ready()

    here.send("poke", number=1)

    assert eventually(ear.heard) == [{"kind": "poke", "number": 1}]


@pytest.mark.redis
def test_two_sites_that_share_a_redis_do_not_hear_each_other(two_processes, settings):
    here, there = two_processes
    Ear(here).ready()
    settings.SECRET_KEY = "another site's"
    ear = Ear(there).ready()

    here.send("poke", site="here")
    assert here.flush()
    there.send("poke", site="there")

    assert eventually(ear.heard) == [{"kind": "poke", "site": "there"}]


def test_where_there_is_no_redis_the_log_says_where_it_was_looked_for(settings, caplog):
    port = free_port()
    settings.CHANNEL_LAYERS = redis_layer("pubsub", f"redis://127.0.0.1:{port}")

    Ear(bus)

    eventually(lambda: f"127.0.0.1:{port}" in caplog.text)
    assert "The notification bus is down: ConnectionError: " in caplog.text


@pytest.mark.redis
def test_every_process_hears_every_message(two_processes):
    here, there = two_processes
    ears = [Ear(here).ready(), Ear(there).ready()]

    for number in range(50):
        here.send("poke", number=number)

    for ear in ears:
        eventually(lambda ear=ear: len(ear.heard()) >= 50)


@pytest.mark.redis
def test_closing_sends_first_what_waits(two_processes):
    here, there = two_processes
    ear = Ear(there).ready()

    for number in range(50):
        here.send("poke", number=number)
    here.close()

    eventually(lambda: len(ear.heard()) >= 50)


@pytest.mark.redis
@pytest.mark.parametrize("kind", ["pubsub", "core"])
def test_a_frozen_redis_costs_the_sender_nothing(kind, redis_server, settings):
    settings.CHANNEL_LAYERS = redis_layer(kind, redis_server.url)
    Ear(bus).ready()
    redis_server.freeze()

    start = time.monotonic()
    for number in range(1000):
        bus.send("poke", number=number)
    seconds = time.monotonic() - start

    redis_server.thaw()
    assert seconds < 1


@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pubsub", "core"])
def test_after_redis_was_killed_the_bus_is_down_and_comes_back(
    kind, redis_server, settings
):
    settings.CHANNEL_LAYERS = redis_layer(kind, redis_server.url)
    ear = Ear(bus).ready()

    redis_server.kill()
    eventually(lambda: not bus.healthy, within=20)
    redis_server.start()
    eventually(lambda: bus.healthy, within=20)
    bus.send("poke")

    assert eventually(ear.heard)
    assert ear.health == [True, False, True]


@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pubsub", "core"])
def test_a_flushed_redis_is_joined_again(kind, redis_server, settings):
    settings.CHANNEL_LAYERS = redis_layer(kind, redis_server.url)
    ear = Ear(bus).ready()

    redis_server.command("FLUSHALL")

    def heard():
        bus.send("poke")
        return ear.heard()

    assert eventually(heard, within=15)


def test_without_redis_the_sender_notices_nothing_but_one_warning(settings, caplog):
    settings.CHANNEL_LAYERS = redis_layer("pubsub", "redis://127.0.0.1:1/0")
    caplog.set_level(logging.WARNING, "notifications.bus")
    other = Bus()

    for number in range(100):
        other.send("poke", number=number)
    eventually(lambda: caplog.records)
    other.close()

    assert len(caplog.records) == 1
    assert "down" in caplog.text


def test_without_a_layer_nothing_is_sent_and_nothing_started(settings):
    settings.CHANNEL_LAYERS = {}

    assert bus.send("poke") is False
    assert bus.listen(print, print) is False
    assert "notifications-bus" not in {thread.name for thread in threading.enumerate()}


def test_a_layer_of_another_name_is_used_where_the_project_says_so(settings):
    settings.CHANNEL_LAYERS = {"other": settings.CHANNEL_LAYERS["default"]}
    assert bus.send("poke") is False
    settings.NOTIFICATIONS_CHANNEL_LAYER = "other"
    ear = Ear(bus).ready()

    bus.send("poke")

    assert eventually(ear.heard)


def test_under_gevent_no_thread_starts(monkeypatch):
    gevent = types.SimpleNamespace(is_module_patched=lambda name: name == "threading")
    monkeypatch.setitem(sys.modules, "gevent.monkey", gevent)

    assert bus.send("poke") is False


@pytest.mark.redis
def test_when_too_much_waits_messages_are_refused_and_one_warning_logged(
    redis_server, settings, caplog, monkeypatch
):
    # Or a busy machine takes so long that the first is given up, and all with it.
    monkeypatch.setattr(wire, "SEND_SECONDS", 60)
    settings.CHANNEL_LAYERS = redis_layer("pubsub", redis_server.url)
    other = Bus()
    redis_server.freeze()

    answers = [other.send("poke") for _ in range(QUEUE_LIMIT + 10)]

    redis_server.thaw()
    other.close()
    assert answers.count(True) >= QUEUE_LIMIT
    assert answers[-1] is False
    assert caplog.text.count("The bus is full") == 1
