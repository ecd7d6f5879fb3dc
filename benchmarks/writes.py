"""
Count and time what a broadcast to 100,000 users and 10,000 notifications write.

On PostgreSQL and on SQLite, the median of three. Nothing is sent: bus.send() only
counts. Takes 1 minute.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from django.contrib.auth import get_user_model
from django.db import connection

from notifications.api import broadcast, notify
from notifications.bus import bus
from notifications.models import Notification, Receipt
from tests.factories import make_users

from . import database

USERS = 100_000
RECIPIENTS = 10_000
ROUNDS = 3

MOST_STATEMENTS_OF_A_BROADCAST = 10
MOST_INSERTS = 12
MOST_MESSAGES = RECIPIENTS // 500


@dataclass
class Cost:
    """What one call did, everything after commit included."""

    rows: int = 0
    statements: Counter[str] = field(default_factory=Counter)
    """By their first word. Neither BEGIN nor COMMIT is among them."""
    messages: int = 0
    """How often the bus was asked to send."""
    seconds: float = 0.0
    """The median, without counting."""


def cost(call: Callable[[], Any]) -> Cost:
    found = Cost(seconds=statistics.median(_seconds(call) for _ in range(ROUNDS)))
    before = _rows()

    def note(execute: Any, sql: str, *arguments: Any) -> Any:
        found.statements[sql.split()[0]] += 1
        return execute(sql, *arguments)

    with mock.patch.object(bus, "send") as send, connection.execute_wrapper(note):
        call()
    found.rows = _rows() - before
    found.messages = send.call_count
    return found


def _seconds(call: Callable[[], Any]) -> float:
    with mock.patch.object(bus, "send"):
        started = time.perf_counter()
        call()
        return time.perf_counter() - started


def _rows() -> int:
    return Notification.objects.count() + Receipt.objects.count()


def measure() -> dict[str, Cost]:
    """Return the costs by what was called, in the database that is the default."""
    make_users(USERS)
    users = get_user_model().objects.order_by("pk")[:RECIPIENTS]
    return {
        f"broadcast() to {USERS:,}": cost(lambda: broadcast("The site moves tonight")),
        "notify() one": cost(lambda: notify(users[0], "Your report is ready")),
        f"notify() {RECIPIENTS:,}": cost(lambda: notify(users, "Your report is ready")),
    }


def failures(costs: dict[str, Cost]) -> Iterator[str]:
    broadcasting, _, many = costs.values()
    if broadcasting.rows != 1:
        yield f"a broadcast is {broadcasting.rows} rows"
    if broadcasting.statements.total() > MOST_STATEMENTS_OF_A_BROADCAST:
        yield f"a broadcast is {broadcasting.statements}"
    if many.rows != RECIPIENTS:
        yield f"{RECIPIENTS} notifications are {many.rows} rows"
    if many.messages > MOST_MESSAGES:
        yield f"{many.messages} bus messages, {MOST_MESSAGES} allowed"
    if connection.vendor == "postgresql" and many.statements["INSERT"] > MOST_INSERTS:
        yield f"{many.statements['INSERT']} INSERTs, {MOST_INSERTS} allowed"
    if many.statements.total() > RECIPIENTS / 10:
        yield f"{many.statements.total()} statements for {RECIPIENTS} recipients"


def line(version: str, name: str, found: Cost) -> str:
    statements = ", ".join(f"{n} {verb}" for verb, n in found.statements.items())
    return (
        f"| {version} | {name} | {found.rows:,} | {statements} | {found.messages} "
        f"| {found.seconds * 1000:,.1f} |"
    )


def main() -> int:
    print("| database | call | rows | statements | bus messages | ms |")
    print("|---|---|---|---|---|---|")
    failed = []
    for place in (database.postgresql, database.sqlite):
        with place() as version:
            costs = measure()
            failed += [f"{version}: {failure}" for failure in failures(costs)]
        for name, found in costs.items():
            print(line(version, name, found))
    print(*(f"FAILED {failure}" for failure in failed), sep="\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
