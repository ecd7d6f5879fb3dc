"""
Break Redis in every way, and time what a request and an open page feel of it.

A view of one Daphne calls notify() 200 times, 50 a second; a stream is open in
another. Each figure is the median of three runs, beside the same with Redis well.
Takes 6 minutes.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from notifications.conf import conf
from tests.factories import log_in, make_user
from tests.servers import RedisServer
from tests.waiting import eventually

from . import database
from .listeners import Arrival, Listeners
from .relay import Relay
from .servers import Server

LAYERS = ("pubsub", "core")
WARM_UP = 5
SLOW_SECONDS = 0.1
NOTICE_SECONDS = 30.0

# What is promised: see docs/explanation/delivery-guarantees.md, S4 and S7.
MOST_CALL_MS = 250
SWEEP_SECONDS = conf.POLL_SECONDS + 2


@dataclass(frozen=True)
class Fault:
    name: str
    begin: Callable[[Site], None] = lambda site: None
    end: Callable[[Site], None] | None = None
    """How the wire comes back, where it was gone for all to see."""
    absent: bool = False
    """Whether there is no Redis to start with."""


FAULTS = [
    Fault("healthy"),
    Fault("frozen", lambda site: site.redis.freeze(), lambda site: site.redis.thaw()),
    Fault("killed", lambda site: site.redis.kill(), lambda site: site.redis.start()),
    Fault("never there", end=lambda site: site.redis.start(), absent=True),
    Fault("flushed", lambda site: site.flush()),
    Fault("200 ms away", lambda site: site.delay(SLOW_SECONDS)),
]


@dataclass
class Run:
    """What one run felt like."""

    calls: list[float]
    """How long notify() kept the view, in ms, by call."""
    arrivals: list[float]
    """From its return to the last byte in the client, in ms; inf if it never came."""
    swept: int
    """By the server's own count: how many came from the table."""
    healthy_seconds: float | None = None
    """From the wire's return until the process of the stream knew."""
    refresh_seconds: float | None = None
    """From the wire's return until the stream said ``refresh``."""


class Site:
    """A process that notifies, one that streams, a Redis, and a relay before it."""

    def __init__(self, layer: str, fault: Fault) -> None:
        self.fault = fault
        self.redis = RedisServer()
        self.relay = Relay(self.redis.port)
        # Straight to Redis but for where the way is what it is about.
        place = self.relay if fault.name == "200 ms away" else self.redis
        cell = {"redis_url": place.url, "layer": layer}
        self.caller, self.streamer = Server("daphne", **cell), Server("daphne", **cell)
        self.listeners = Listeners()

    def flush(self) -> None:
        self.redis.command("FLUSHALL")

    def delay(self, seconds: float) -> None:
        self.relay.seconds = seconds

    def run(self, count: int, per_second: float) -> Run:
        with ExitStack() as stack:
            # The only one, and gone afterwards with all they had: a new process
            # would give their stream what the run before has announced.
            user = make_user("ada")
            stack.callback(user.delete)
            stack.callback(self.redis.stop)
            if not self.fault.absent:
                self.redis.start()
            for each in (self.relay, self.caller, self.streamer, self.listeners):
                stack.enter_context(each)
            self.listeners.open(self.streamer.stream_url, log_in(user))
            if not self.fault.absent:
                eventually(self._is_healthy)
            self._publish(WARM_UP, per_second, "warm")
            before = self.streamer.counts["swept"]

            self.fault.begin(self)
            calls, returned = self._publish(count, per_second, "timed")
            came = self._came()
            run = Run(
                calls=calls,
                arrivals=[
                    (came.get(title, math.inf) - moment) * 1000
                    for title, moment in returned.items()
                ],
                swept=self.streamer.counts["swept"] - before,
            )
            if self.fault.end is not None:
                self._mend(self.fault.end, run)
            return run

    def _publish(
        self, count: int, per_second: float, word: str
    ) -> tuple[list[float], dict[str, float]]:
        """Return each call's ms, and when it returned by title; wait for the last."""
        calls, returned = [], {}
        started = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, started + number / per_second - time.monotonic()))
            title = f"{word}-{number}"
            answer = self.caller.get(f"/notify/sync/{title}/")
            calls.append(answer["ms"])
            returned[title] = answer["returned_at"]
        self.listeners.wait_for(
            lambda: returned.keys() <= self._came().keys(), SWEEP_SECONDS
        )
        return calls, returned

    def _mend(self, end: Callable[[Site], None], run: Run) -> None:
        eventually(lambda: not self._is_healthy(), within=NOTICE_SECONDS)
        known = len(self.listeners.arrivals)
        end(self)
        start = time.monotonic()
        eventually(self._is_healthy, within=NOTICE_SECONDS)
        run.healthy_seconds = time.monotonic() - start
        found: list[Arrival] = []

        def has_come() -> bool:
            arrivals = self.listeners.arrivals[known:]
            found[:] = [one for one in arrivals if one.name == "refresh"]
            return bool(found)

        if self.listeners.wait_for(has_come, NOTICE_SECONDS):
            run.refresh_seconds = found[0].at - start

    def _is_healthy(self) -> bool:
        return bool(self.streamer.counts["healthy"])

    def _came(self) -> dict[str, float]:
        """When each notification came first, by title."""
        found: dict[str, float] = {}
        for arrival in list(self.listeners.arrivals):
            if arrival.name == "notification":
                found.setdefault(arrival.data["title"], arrival.at)
        return found


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


FIGURES: list[Callable[[Run], float | None]] = [
    lambda run: statistics.median(run.calls),
    lambda run: percentile(run.calls, 99),
    lambda run: max(run.calls),
    lambda run: statistics.median(run.arrivals),
    lambda run: percentile(run.arrivals, 95),
    lambda run: max(run.arrivals),
    lambda run: run.swept,
    lambda run: run.healthy_seconds,
    lambda run: run.refresh_seconds,
]
RATIOS = 6
"""How many of these, from the first on, are compared with those of a well Redis."""

HEAD = """\
| layer | Redis | notify() p50 ms | p99 | max | arrives p50 ms | p95 | max \
| by the sweep | healthy again s | refresh s |
|---|---|---|---|---|---|---|---|---|---|---|"""


def medians(runs: list[Run]) -> list[float | None]:
    """Return each figure's median over *runs*; None where it does not apply."""
    found: list[float | None] = []
    for figure in FIGURES:
        values = [value for run in runs if (value := figure(run)) is not None]
        found.append(statistics.median(values) if values else None)
    return found


def line(*names: str, cells: list[str]) -> str:
    return f"| {' | '.join([*names, *cells])} |"


def shown(value: float | None) -> str:
    if value is None:
        return "-"
    digits = 0 if value >= 100 or float(value).is_integer() else 1
    return f"{value:,.{digits}f}"


def failures(name: str, fault: Fault, runs: list[Run]) -> Iterator[str]:
    for run in runs:
        # Not the longest: on a busy machine it is long with Redis well, too.
        if (p99 := percentile(run.calls, 99)) > MOST_CALL_MS:
            yield f"{name}: p99 of the calls is {p99:.0f} ms"
        if max(run.arrivals) > SWEEP_SECONDS * 1000:
            yield f"{name}: the last came after {max(run.arrivals) / 1000:.1f} s"
        if fault.name == "healthy" and run.swept:
            yield f"{name}: {run.swept} came by the sweep"
        if fault.end is not None and run.refresh_seconds is None:
            yield f"{name}: the stream was told no refresh"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layer", choices=LAYERS, help="only this one")
    parser.add_argument("--fault", help="only this one, beside none")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=50)
    options = parser.parse_args()
    failed: list[str] = []
    with database.postgresql() as version:
        print(f"{version}, {options.per_second:g} a second, {options.runs} runs")
        print(HEAD)
        ratios = []
        for layer in [options.layer] if options.layer else LAYERS:
            well: list[float | None] = []
            for fault in FAULTS:
                if options.fault and fault.name not in ("healthy", options.fault):
                    continue
                runs = [
                    Site(layer, fault).run(options.count, options.per_second)
                    for _ in range(options.runs)
                ]
                figures = medians(runs)
                well = well or figures
                cells = [shown(figure) for figure in figures]
                print(line(layer, fault.name, cells=cells), flush=True)
                quotients = [
                    shown(figure / base) if figure and base else "-"
                    for figure, base in zip(figures, well, strict=True)
                ]
                ratios.append(line(layer, fault.name, cells=quotients[:RATIOS]))
                failed += failures(f"{layer}, {fault.name}", fault, runs)
    print("\nThe same, as multiples of what it is with Redis well:")
    print("\n".join(ratios))
    print(*(f"FAILED {failure}" for failure in failed), sep="\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
