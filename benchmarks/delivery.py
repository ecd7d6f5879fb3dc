"""
Deliver 1,000 notifications to 20 users through two server processes, and time it.

First with the bus, then without one, then from commands that live half a second.
Each user has a stream open in both processes; a third process notifies. Takes 2
minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from notifications.conf import conf
from tests.factories import make_users
from tests.servers import ROOT, RedisServer, environment, run_command
from tests.waiting import eventually

from . import database
from .listeners import Listeners
from .servers import KINDS, Server, cookies_of

USERS = 20
COMMANDS = 20
MOST_LIVE_SECONDS = 0.3
SWEEP_SECONDS = conf.POLL_SECONDS + 2

NO_BUS: dict[str, Any] = {"settings": {"CHANNEL_LAYERS": {}}}


@dataclass
class Run:
    """What became of one load. Times in seconds."""

    name: str
    expected: int
    delivered: int
    repeated: int
    live: int
    """By the servers' own count, as is *swept*: from the wire, from the table."""
    swept: int
    latencies: list[float]
    """From the return of notify() to the last byte, by delivery."""
    calls: list[float]
    """How long notify() took, by call."""

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies, n=100)[percent - 1]

    def line(self) -> str:
        figures = [self.percentile(percent) for percent in (50, 95, 99)]
        figures += [max(self.latencies), statistics.median(self.calls)]
        times = " | ".join(f"{seconds * 1000:,.1f}" for seconds in figures)
        delivered = f"{self.delivered:,} of {self.expected:,} | {self.repeated}"
        ways = f"{self.live:,} | {self.swept:,}"
        return f"| {self.name} | {delivered} | {ways} | {times} |"


HEAD = """\
| run | delivered | twice | live | swept | p50 ms | p95 | p99 | max | notify() p50 ms |
|---|---|---|---|---|---|---|---|---|---|"""


class Site:
    """Two servers, and every user's streams in both."""

    def __init__(self, kind: str, users: list[Any], cell: dict[str, Any]) -> None:
        self.cell = cell
        self.users = users
        self.servers = [Server(kind, **cell) for _ in range(2)]
        self.listeners = Listeners()
        self.owner: dict[int, int] = {}
        """The user's position among *users*, by stream."""

    @contextmanager
    def open(self) -> Iterator[Site]:
        with ExitStack() as stack:
            for server in self.servers:
                stack.enter_context(server)
            stack.enter_context(self.listeners)
            for number, cookies in enumerate(cookies_of(self.users)):
                for server in self.servers:
                    stream = self.listeners.open(server.stream_url, cookies)
                    self.owner[stream] = number
            if "redis_url" in self.cell:
                eventually(lambda: all(s.counts["healthy"] for s in self.servers))
            yield self

    def counts(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for server in self.servers:
            counts = server.counts
            found.update(live=counts["live"], swept=counts["swept"])
        return found

    def publish(self, count: int, per_second: float, name: str) -> Run:
        """Notify the users in turn; wait until each has it in each stream."""
        command = [sys.executable, "-m", "benchmarks.publisher", str(count)]
        command += [str(per_second), *(str(user.pk) for user in self.users)]
        finished = subprocess.run(
            command,
            env=environment(**self.cell),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=count / per_second + 60,
            check=True,
        )
        published = {
            title: (called, returned)
            for title, called, returned in map(json.loads, finished.stdout.splitlines())
        }
        expected = {
            (stream, str(number))
            for stream, owner in self.owner.items()
            for number in range(owner, count, len(self.users))
        }
        self.listeners.wait_for(lambda: expected <= set(self._came()), SWEEP_SECONDS)
        came = self._came()
        counts = self.counts()
        return Run(
            name=name,
            expected=len(expected),
            delivered=len(expected & came.keys()),
            repeated=came.total() - len(expected & came.keys()),
            live=counts["live"],
            swept=counts["swept"],
            latencies=[
                arrival.at - published[arrival.data["title"]][1]
                for arrival in self.listeners.arrivals
                if arrival.name == "notification"
            ],
            calls=[returned - called for called, returned in published.values()],
        )

    def command(self, title: str) -> bool:
        """Run ``manage.py notify``; return whether both streams of the user had it."""
        username = self.users[0].get_username()
        run_command("notify", username, title, **self.cell)
        mine = {(stream, title) for stream, owner in self.owner.items() if owner == 0}
        return self.listeners.wait_for(lambda: mine <= set(self._came()), 5)

    def _came(self) -> Counter[tuple[int, str]]:
        return Counter(
            (arrival.stream, arrival.data["title"])
            for arrival in list(self.listeners.arrivals)
            if arrival.name == "notification"
        )


def failures(run: Run, *, live: bool) -> Iterator[str]:
    if run.delivered != run.expected or run.repeated:
        yield f"{run.name}: {run.delivered} delivered, {run.repeated} twice"
    if live and run.swept:
        yield f"{run.name}: {run.swept} came by the sweep"
    if live and run.percentile(95) >= MOST_LIVE_SECONDS:
        yield f"{run.name}: p95 is {run.percentile(95):.3f} s"
    if not live and (run.live or max(run.latencies) > SWEEP_SECONDS):
        yield f"{run.name}: {run.live} live, the last after {max(run.latencies):.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=KINDS, default="daphne")
    parser.add_argument("--layer", choices=["pubsub", "core"], default="pubsub")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--per-second", type=float, default=50)
    options = parser.parse_args()
    load = options.count, options.per_second
    place = f"{options.server}, {options.layer}"
    failed = []

    redis = RedisServer()
    redis.start()
    try:
        with database.postgresql() as version:
            print(version, f"{options.per_second:g} a second", sep=", ")
            print(HEAD)
            with_bus = {"redis_url": redis.url, "layer": options.layer}
            with Site(
                options.server, make_users(USERS, "live"), with_bus
            ).open() as site:
                run = site.publish(*load, place)
                print(run.line(), flush=True)
                failed += failures(run, live=True)
                heard = sum(site.command(f"command {n}") for n in range(COMMANDS))
                swept = site.counts()["swept"]
            with Site(
                options.server, make_users(USERS, "swept"), NO_BUS
            ).open() as site:
                run = site.publish(*load, f"{options.server}, no bus")
                print(run.line(), flush=True)
                failed += failures(run, live=False)
    finally:
        redis.stop()
    print(f"manage.py notify: {heard} of {COMMANDS} heard, {swept} by the sweep.")
    if heard < COMMANDS or swept:
        failed.append("a command was not heard at once")
    print(*(f"FAILED {failure}" for failure in failed), sep="\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
