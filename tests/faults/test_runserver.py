"""The development server reloads and ends, however many streams are open."""

import contextlib
import os
import signal

import pytest

from notifications.api import notify
from tests.factories import log_in
from tests.servers import RunServer, redis_layer
from tests.sse import SSEClient, names, titles
from tests.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.faults]

POLL_SECONDS = 2
# The reloader looks once a second; then the old process ends and a new one starts.
NOTICE_SECONDS = 5
END_SECONDS = 5
START_SECONDS = 20

# Noise at the end of an interpreter, other than a traceback.
NOISE = ("Exception ignored", "Fatal Python error", "never awaited", "stuck")


@pytest.fixture(
    params=[
        "memory",
        *(
            pytest.param(name, marks=pytest.mark.redis)
            for name in ("pubsub", "pubsub-frozen")
        ),
        *(
            pytest.param(name, marks=[pytest.mark.redis, pytest.mark.core])
            for name in ("core", "core-frozen")
        ),
    ]
)
def redis(request, settings):
    """The Redis that server and test share, None without; frozen where it says so."""
    name, _, fault = request.param.partition("-")
    if name == "memory":
        return None
    redis = request.getfixturevalue("redis_server")
    redis.layer, redis.is_frozen = name, bool(fault)
    settings.CHANNEL_LAYERS = redis_layer(name, redis.url)
    return redis


@pytest.fixture
def module(tmp_path):
    """The file of an app that the server watches."""
    package = tmp_path / "reloaded"
    package.mkdir()
    module = package / "__init__.py"
    module.touch()
    return module


@pytest.fixture
def serve(transactional_db, redis, module):
    """Return a function that starts the server."""
    with contextlib.ExitStack() as stack:

        def serve(**options):
            if redis:
                options |= {"redis_url": redis.url, "layer": redis.layer}
            server = RunServer(
                apps=["reloaded"],
                path=[module.parent.parent],
                settings={"NOTIFICATIONS_POLL_SECONDS": POLL_SECONDS},
                **options,
            )
            stack.callback(server.stop)
            server.start()
            return server

        yield serve


def stream_of(server, user, **options):
    url = f"{server.url}/notifications/stream/"
    return SSEClient(url, cookies=log_in(user), **options)


def counts_of(server):
    """Return its counts, None while it is not there."""
    try:
        return server.counts
    except OSError:
        return None


def noise(server):
    return [word for word in NOISE if word in server.log]


def settle(server, redis):
    """Wait until the wire carries; then freeze Redis if that is what it is about."""
    eventually(lambda: server.counts["healthy"])
    if redis and redis.is_frozen:
        redis.freeze()


def test_with_a_stream_open_it_reloads_and_the_stream_is_resumed(
    serve, redis, module, ada
):
    server = serve()
    with stream_of(server, ada) as client:
        client.take(2)
        settle(server, redis)
        before = server.counts["pid"]

        # Again and again: the reloader may not have seen the file before.
        eventually(
            lambda: os.utime(module) or "changed, reloading" in server.log,
            within=NOTICE_SECONDS,
        )
        notify(ada, "while it ends")  # on this stream yet, or on the next
        client.rest(within=END_SECONDS)
    notify(ada, "while it starts")
    after = eventually(lambda: counts_of(server), within=START_SECONDS)["pid"]

    with stream_of(server, ada, last_event_id=client.cursor) as again:
        again.take(1, "state")
        notify(ada, "after")
        again.take(1, "notification", within=POLL_SECONDS + 2)
    assert after != before
    found = [name for name in names(again.events) if name != "refresh"]
    assert found[-3:] == ["notification", "state", "notification"]
    came = dict.fromkeys(titles(client.events + again.events))
    assert list(came) == ["while it ends", "while it starts", "after"]
    assert noise(server) == []


def tell_to_end(server, how):
    if how == "SIGINT":
        server.interrupt()
    else:
        server.signal(signal.SIGTERM)


both_signals = pytest.mark.parametrize("how", ["SIGINT", "SIGTERM"])


@both_signals
def test_with_a_stream_open_it_ends_by_itself_when_it_is_told_to(
    how, serve, redis, ada
):
    server = serve(reloader=False)
    with stream_of(server, ada) as client:
        client.take(2)
        settle(server, redis)

        tell_to_end(server, how)
        client.rest(within=END_SECONDS)

        assert server.wait(END_SECONDS) == 0
    assert noise(server) == []


@both_signals
@pytest.mark.parametrize("redis", ["memory"], indirect=True)
def test_with_a_stream_open_it_ends_together_with_its_reloader(how, serve, redis, ada):
    server = serve()
    with stream_of(server, ada) as client:
        client.take(2)
        settle(server, redis)

        tell_to_end(server, how)
        client.rest(within=END_SECONDS)

        assert server.wait(END_SECONDS) == 0
    # After Ctrl-C the first leaves the second to be reaped by others.
    eventually(lambda: server.is_gone)
    assert noise(server) == []
