"""Processes of every kind publish: nothing lost, no hang at exit, no noise."""

import subprocess
import sys
import textwrap
import time

import pytest

from tests.factories import log_in
from tests.servers import ROOT, environment, free_port
from tests.sse import SSEClient, titles
from tests.waiting import eventually

pytestmark = [pytest.mark.redis, pytest.mark.live, pytest.mark.faults]

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


def run(script, *, within, **cell):
    """Run *script* in a process of its own; return how long it took, in seconds."""
    start = time.monotonic()
    finished = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(script)],
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


@pytest.mark.parametrize("layer", ["pubsub", "core"])
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (THREADS, {f"{n}.{i}" for n in range(8) for i in range(5)}),
        (ASYNC, {f"{n}.{i}" for n in range(8) for i in range(5)}),
        (FORK, {"parent"} | {f"{n}.{i}" for n in range(4) for i in range(5)}),
    ],
    ids=["threads", "async", "fork"],
)
def test_what_a_process_publishes_before_it_ends_is_heard_over_the_wire(
    script, expected, layer, ada, redis_server, live_server_process
):
    cell = {"redis_url": redis_server.url, "layer": layer}
    server = live_server_process(**cell)
    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=log_in(ada)) as client:
        client.take(2)
        eventually(lambda: server.counts["healthy"])

        run(script, within=30, **cell)

        client.take(len(expected), "notification", within=10)
    assert sorted(titles(client.events)) == sorted(expected)
    assert server.counts["swept"] == 0


@pytest.mark.parametrize("layer", ["pubsub", "core"])
def test_a_process_ends_at_once_though_redis_is_frozen(
    layer, transactional_db, ada, redis_server
):
    cell = {"redis_url": redis_server.url, "layer": layer}
    usual = run('notify(user, "first")', within=20, **cell)

    redis_server.freeze()
    frozen = run('notify(user, "second")', within=20, **cell)

    # At most a second for the flush; the rest is a slow machine's.
    assert frozen - usual < 4


@pytest.mark.parametrize("layer", ["pubsub", "core"])
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
