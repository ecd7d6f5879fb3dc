"""Processes of every kind publish: nothing lost, no hang at exit, no noise."""

import subprocess
import sys
import textwrap
import time

import pytest

from notifications.api import notify
from notifications.models import Notification
from tests.factories import log_in
from tests.servers import (
    NO_SWEEP,
    REDIS_LAYERS,
    ROOT,
    environment,
    free_port,
    redis_layer,
)
from tests.sse import SSEClient, titles
from tests.waiting import eventually

pytestmark = [pytest.mark.redis, pytest.mark.live, pytest.mark.faults]

POLL_SECONDS = 2

START = """
import os, sys, threading, asyncio
import django
django.setup()
from django.contrib.auth import get_user_model
from notifications.api import notify, anotify
from notifications.bus import bus
user = get_user_model()._default_manager.get()
"""

THREADS = """
threads = [
    threading.Thread(target=lambda n=n: [notify(user, f"{n}.{i}") for i in range(5)])
    for n in range(8)
]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""

ASYNC = """
async def main():
    numbers = [f"{n}.{i}" for n in range(8) for i in range(5)]
    await asyncio.gather(*(anotify(user, number) for number in numbers))
asyncio.run(main())
"""

# A worker is forked after its parent has used the bus, as with gunicorn's
# --preload and Celery's prefork pool, and lives on.
FORK = """
import warnings
from django.db import connections
# From Python 3.12 on, forking beside a thread warns. It is what this is about.
warnings.simplefilter("ignore", DeprecationWarning)
notify(user, "parent")
bus.flush()
connections.close_all()
children = []
for n in range(4):
    if not (pid := os.fork()):
        for i in range(5):
            notify(user, f"{n}.{i}")
        flushed = bus.flush(5)
        os._exit(0 if flushed else 1)
    children.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in children]
assert codes == [0, 0, 0, 0], codes
"""

# Workers as Celery's: forked while the parent listens, they do one task after
# another, and end without what is registered with atexit.
POOL = """
import multiprocessing, warnings
from django.db import connections
from notifications.hub import hub
warnings.simplefilter("ignore", DeprecationWarning)  # see above
hub.listen()
assert bus.wait_until_healthy(5)
notify(user, "parent")
connections.close_all()
def task(number):
    notify(user, f"task {number}")
    assert bus.flush(5)
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map(task, range(10), chunksize=1)
    pool.close()
    pool.join()
"""

# A layer that takes its time to be imported, in the thread of the wire; the process
# is forked amid that, as a preloading server may.
HALF = """
import sys, warnings
from django.db import connections
warnings.simplefilter("ignore", DeprecationWarning)  # see above
notify(user, "parent")
while "tests.slowlayer" not in sys.modules:
    threading.Event().wait(0.01)
connections.close_all()
if not (pid := os.fork()):
    bus.listen(lambda message: None, lambda healthy: None)
    os._exit(0 if bus.wait_until_healthy(5) else 1)
assert os.waitpid(pid, 0)[1] == 0
"""

# Registered before the bus's own, so it runs after that.
LATE = """
import atexit
@atexit.register
def late():
    notify(user, "late")
"""


def run(script, *, within, first="", **cell):
    """
    Run *script* in a process of its own; return how long it took, in seconds.

    *first* comes before anything is imported.
    """
    start = time.monotonic()
    finished = subprocess.run(
        [sys.executable, "-c", first + START + textwrap.dedent(script)],
        env=environment(**cell),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return time.monotonic() - start


@pytest.mark.parametrize("layer", REDIS_LAYERS)
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (THREADS, {f"{n}.{i}" for n in range(8) for i in range(5)}),
        (ASYNC, {f"{n}.{i}" for n in range(8) for i in range(5)}),
        (FORK, {"parent"} | {f"{n}.{i}" for n in range(4) for i in range(5)}),
        (POOL, {"parent"} | {f"task {n}" for n in range(10)}),
    ],
    ids=["threads", "async", "fork", "pool"],
)
def test_what_a_process_publishes_before_it_ends_is_heard_over_the_wire(
    script, expected, layer, ada, redis_server, live_server_process
):
    cell = {"redis_url": redis_server.url, "layer": layer}
    server = live_server_process(**cell, settings=NO_SWEEP)
    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=log_in(ada)) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])

        run(script, within=30, **cell)

        client.take(len(expected), "notification", within=10)
    assert sorted(titles(client.events)) == sorted(expected)
    assert server.counts["swept"] == 0


@pytest.mark.parametrize("layer", REDIS_LAYERS)
def test_what_is_published_after_the_bus_has_closed_arrives_by_the_sweep(
    layer, ada, redis_server, live_server_process
):
    cell = {"redis_url": redis_server.url, "layer": layer}
    own = {"NOTIFICATIONS_POLL_SECONDS": POLL_SECONDS}
    server = live_server_process(**cell, settings=own)
    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=log_in(ada)) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])

        run('notify(user, "in time")', first=LATE, within=30, **cell)

        client.take(2, "notification", within=POLL_SECONDS + 2)
    assert titles(client.events) == ["in time", "late"]


def test_a_process_that_is_forked_while_the_layer_is_imported_has_a_wire(
    transactional_db, ada
):
    layers = {"default": {"BACKEND": "tests.slowlayer.SlowLayer"}}

    run(HALF, within=60, settings={"CHANNEL_LAYERS": layers})


@pytest.mark.parametrize("layer", REDIS_LAYERS)
def test_a_worker_that_was_forked_from_a_process_that_listens_hears_for_itself(
    layer, ada, redis_server, live_server_process, settings
):
    settings.CHANNEL_LAYERS = redis_layer(layer, redis_server.url)
    server = live_server_process(
        "preload", redis_url=redis_server.url, layer=layer, settings=NO_SWEEP
    )
    url = f"{server.url}/notifications/stream/"
    published = [str(number) for number in range(40)]
    with SSEClient(url, cookies=log_in(ada)) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])

        # From outside, and from the worker itself.
        for title in published[:20]:
            notify(ada, title)
        for title in published[20:]:
            server.get(f"/notify/sync/{title}/")

        client.take(40, "notification", within=5)
        counts = server.counts
        assert counts["pid"] != server.pid
        assert (counts["live"], counts["swept"]) == (40, 0)
    assert sorted(titles(client.events), key=int) == published


@pytest.mark.parametrize("layer", REDIS_LAYERS)
def test_a_process_ends_at_once_though_redis_is_frozen(
    layer, transactional_db, ada, redis_server
):
    cell = {"redis_url": redis_server.url, "layer": layer}
    usual = run('notify(user, "first")', within=20, **cell)

    redis_server.freeze()
    frozen = run('notify(user, "second")', within=20, **cell)

    # At most a second for the flush; the rest is a slow machine's.
    assert frozen - usual < 4


@pytest.mark.parametrize("layer", REDIS_LAYERS)
@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_a_command_has_stored_it_and_ends_soon_though_redis_is(
    fault, layer, transactional_db, ada, redis_server
):
    cell = {"redis_url": redis_server.url, "layer": layer}
    script = """
        from logging import getLogger
        from django.core.management import call_command
        getLogger("notifications").setLevel("ERROR")  # the one warning is not noise
        call_command("notify", user.get_username(), "Hello")
        """
    usual = run(script, within=20, **cell)

    redis_server.freeze() if fault == "frozen" else redis_server.kill()
    took = run(script, within=20, **cell)

    # It waits up to 5 s for what it has said to leave, and no longer.
    assert took - usual < 8
    assert Notification.objects.count() == 2


@pytest.mark.parametrize("layer", REDIS_LAYERS)
def test_a_process_ends_at_once_though_there_is_no_redis(layer, transactional_db, ada):
    nowhere = f"redis://127.0.0.1:{free_port()}/0"

    took = run(
        """
        from logging import getLogger
        getLogger("notifications").setLevel("ERROR")  # the one warning is not noise
        notify(user, "Hello")
        """,
        within=20,
        redis_url=nowhere,
        layer=layer,
    )

    assert took < 15
