"""An event loop that spins, a listener that went deaf: noticed and replaced."""

import asyncio
import threading
import time

import pytest
from channels.layers import InMemoryChannelLayer

from notifications import wire
from notifications.bus import bus
from tests.timing import Stopwatch
from tests.waiting import eventually

spinning = set()
unheard = []
deaf = threading.Event()
stubborn = threading.Event()


class FaultyLayer(InMemoryChannelLayer):
    """Spins in chosen threads, loses messages or a cancellation: as a test says."""

    async def receive(self, channel):
        try:
            message = await super().receive(channel)
        except asyncio.CancelledError:
            if not stubborn.is_set():
                raise
            # As redis-py does on Python 3.11 where it sends with a socket timeout.
            stubborn.clear()
            message = await super().receive(channel)
        while threading.get_ident() in spinning:
            try:
                # As redis-py's stored TimeoutError under channels_redis' loop:
                # never suspends, and swallows whatever it is woken with.
                time.monotonic()
            except BaseException:
                if unheard:  # as Python ignores it in a weak reference's callback
                    unheard.pop()
                else:
                    await asyncio.sleep(0.01)
        return message

    async def group_send(self, group, message):
        if not deaf.is_set():
            await super().group_send(group, message)


@pytest.fixture
def listening(settings, monkeypatch):
    """A bus on the faulty layer; the changes of its health, as they come."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": f"{__name__}.FaultyLayer"}}
    monkeypatch.setattr(wire, "CANARY_SECONDS", 0.1)
    monkeypatch.setattr(wire, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(wire, "STUCK_SECONDS", 0.5)
    health, heard = [], []
    bus.listen(heard.append, health.append)
    eventually(lambda: bus.healthy)
    yield health, heard
    spinning.clear()
    unheard.clear()
    deaf.clear()
    stubborn.clear()


def wires():
    return [one for one in threading.enumerate() if one.name == wire.THREAD_NAME]


# Where the interrupt does strike in such a callback, Python says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("ignored", [0, 2])
def test_a_loop_that_spins_is_interrupted_and_another_takes_over(ignored, listening):
    _, heard = listening
    [stuck] = wires()

    unheard.extend(range(ignored))
    spinning.add(stuck.ident)
    eventually(lambda: stuck.is_stuck(), within=10)
    with Stopwatch() as watch:
        bus.send("poke")
    assert watch.blocked_ms < 250

    eventually(lambda: not stuck.is_alive(), within=10)
    eventually(lambda: bus.healthy, within=10)
    bus.send("after")
    eventually(lambda: "after" in [message["kind"] for message in heard])
    assert wires() != [stuck]


def test_a_layer_that_swallows_a_cancellation_is_left_all_the_same(listening):
    [stopped] = wires()
    stubborn.set()

    bus.close()

    stopped.join(10)
    assert not stopped.is_alive()
    assert not stubborn.is_set()


def test_a_deaf_listener_is_unhealthy_and_then_replaced(listening):
    health, heard = listening

    deaf.set()
    eventually(lambda: health[-1] is False, within=10)
    deaf.clear()

    eventually(lambda: health[-1] is True, within=10)
    bus.send("after")
    eventually(lambda: "after" in [message["kind"] for message in heard])
