"""
Hold 300 streams open on Daphne and on uvicorn, and see what they keep.

Idle for a minute, then one page that reads through the ORM. The same with
responses.release_request() switched off, with fewer streams, because PostgreSQL
would run out of connections. Takes 6 minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import psutil

from tests.factories import make_users
from tests.servers import RedisServer, database_connections
from tests.waiting import eventually

from . import database
from .listeners import Listeners
from .servers import KINDS, Server, cookies_of

STREAMS_PER_USER = 5
HELD_STREAMS = 60
MOST_THREADS = 10
MOST_CONNECTIONS = 2


@dataclass
class Holding:
    """What a server process holds."""

    threads: int
    connections: int
    """To PostgreSQL."""
    rss: int
    """Resident memory in bytes."""

    @classmethod
    def of(cls, server: Server) -> Holding:
        process = psutil.Process(server.pid)
        return cls(
            threads=process.num_threads(),
            connections=database_connections(server.name),
            rss=process.memory_info().rss,
        )


@dataclass
class Result:
    kind: str
    released: bool
    streams: int
    before: Holding
    """Without streams."""
    after: Holding
    kib_per_stream: float
    """By resident memory, from the second fifth of them on."""
    ended: int
    """Streams that the server ended meanwhile."""
    left: int
    """Streams that it still has after all clients have left."""

    @property
    def threads(self) -> int:
        return self.after.threads - self.before.threads

    def line(self) -> str:
        return (
            f"| {self.kind} | {'yes' if self.released else 'no'} | {self.streams} "
            f"| {self.threads} | {self.after.connections} | {self.kib_per_stream:.0f} |"
        )

    def failures(self) -> Iterator[str]:
        if self.ended or self.left:
            yield f"{self.kind}: {self.ended} streams ended, {self.left} were left"
        if not self.released:
            return
        if self.threads > MOST_THREADS:
            yield f"{self.kind}: {self.threads} threads more"
        if self.after.connections > MOST_CONNECTIONS:
            yield f"{self.kind}: {self.after.connections} connections"


HEAD = """\
| server | released | streams | threads added | connections | RSS KiB per stream |
|---|---|---|---|---|---|"""


def measure(
    kind: str, streams: int, idle_seconds: float, redis_url: str, *, released: bool
) -> Result:
    hold = {"BENCHMARK_HOLD": "" if released else "1"}
    with mock.patch.dict(os.environ, hold):
        server = Server(
            kind,
            application="benchmarks.asgi:application",
            redis_url=redis_url,
            settings={"NOTIFICATIONS_MAX_STREAMS": 2 * streams},
        )
    users = make_users(streams // STREAMS_PER_USER, f"{kind}-{released}-")
    cookies = cookies_of(users)
    with server:
        server.get("/users/")
        before = Holding.of(server)
        with Listeners() as listeners:
            # One after another: Daphne's backlog is 50.
            for number, one in enumerate(cookies * STREAMS_PER_USER):
                if number == len(cookies):
                    # By now bus and hub run, and all there is is imported.
                    begun = Holding.of(server)
                listeners.open(server.stream_url, one)
            # True only when one ends, which is not to happen.
            listeners.wait_for(lambda: listeners.ended > 0, idle_seconds)
            server.get("/users/")
            after = Holding.of(server)
            result = Result(
                kind=kind,
                released=released,
                streams=len(listeners),
                before=before,
                after=after,
                kib_per_stream=(after.rss - begun.rss)
                / 1024
                / (len(listeners) - len(cookies)),
                ended=listeners.ended,
                left=0,
            )
        try:
            eventually(lambda: server.counts["streams"] == 0, within=20)
        except AssertionError:
            result.left = server.counts["streams"]
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--idle-seconds", type=float, default=60)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    failed = []
    redis = RedisServer()
    redis.start()
    try:
        with database.postgresql() as version:
            print(f"{version}, {options.idle_seconds:g} s idle")
            print(HEAD)
            for released, streams in ((True, options.streams), (False, HELD_STREAMS)):
                for kind in KINDS:
                    result = measure(
                        kind,
                        streams,
                        options.idle_seconds,
                        redis.url,
                        released=released,
                    )
                    print(result.line(), flush=True)
                    failed += result.failures()
    finally:
        redis.stop()
    print(*(f"FAILED {failure}" for failure in failed), sep="\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
