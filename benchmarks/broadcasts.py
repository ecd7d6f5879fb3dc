"""
What a broadcast costs an admin at a site of a million users, on PostgreSQL.

The size of an audience with five names, sending, and the numbers afterwards; each
the median of 3, beside a query that asks the server for nothing. Takes 2 minutes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications import audiences, broadcasts, clock
from notifications.admin import reach
from notifications.bus import bus
from notifications.models import Broadcast, InboxState

from . import database

USERS = 1_000_000
RUNS = 3
# In milliseconds; a shared machine is given twice what an own one needs.
MOST = {"size and names": 1000, "send": 300}

USER = get_user_model()._meta.db_table
MEMBERS = get_user_model().groups.through._meta.db_table
STATES = InboxState._meta.db_table


def fill(users: int) -> None:
    """One in a hundred is staff, one in ten an editor; one in five opened the bell."""
    group = Group.objects.create(name="editors")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {USER} (username, password, first_name, last_name, email,
                                is_superuser, is_staff, is_active, date_joined,
                                last_login)
            SELECT 'user' || n, '', '', '', '', false, n %% 100 = 0, n %% 50 > 0,
                   now() - interval '1 year', now() - n %% 365 * interval '1 day'
            FROM generate_series(1, %s) n
            """,
            [users],
        )
        cursor.execute(
            f"INSERT INTO {MEMBERS} (user_id, group_id) "
            f"SELECT id, %s FROM {USER} WHERE id %% 10 = 0",
            [group.pk],
        )
        cursor.execute(
            f"INSERT INTO {STATES} (user_id, seen_until) "
            f"SELECT id, now() + interval '1 day' FROM {USER} WHERE id % 5 = 0"
        )
        cursor.execute("VACUUM ANALYZE")
    audiences.register("recent", "Signed in lately", users=_recent)


def _recent() -> Any:
    since = clock.now() - timedelta(days=30)
    return get_user_model().objects.filter(is_active=True, last_login__gte=since)


def timed(run: Callable[[], Any]) -> float:
    """Return how many milliseconds *run* takes: the median of 3."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def draft(audience: str) -> Broadcast:
    return Broadcast.objects.create(audience=audience, title="Maintenance")


def send(audience: str) -> None:
    broadcasts.publish(draft(audience))


def written(run: Callable[[], Any]) -> list[str]:
    """Return the statements of *run* that write."""
    with CaptureQueriesContext(connection) as queries:
        run()
    found = [query["sql"] for query in queries]
    return [sql for sql in found if sql.startswith(("INSERT", "UPDATE", "DELETE"))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=USERS)
    options = parser.parse_args()
    failed = []
    with database.postgresql() as version, mock.patch.object(bus, "send"):
        fill(options.users)
        print(f"{version}, {options.users:,} users\n")
        print(f"{'':24}{'a query':>10}{'size and names':>16}{'send':>8}{'numbers':>10}")
        for key, _label in audiences.choices():
            if key == audiences.USERS:
                continue
            times = measure(key)
            figures = "".join(f"{ms:>{width}.1f}" for ms, width in times.values())
            print(f"{key:24}{figures}")
            failed += [
                f"{key}: {name} took {times[name][0]:.0f} ms, {most} allowed"
                for name, most in MOST.items()
                if times[name][0] > most
            ]
        statements = written(lambda: send(audiences.EVERYONE))
        inserts = [sql for sql in statements if sql.startswith("INSERT")]
        print(f"\nSending to everyone: {len(inserts)} INSERT, of one row, and "
              f"{len(statements) - len(inserts)} UPDATEs of it.")  # fmt: skip
        if len(inserts) != 1 or len(statements) > 3:
            failed.append(f"sending wrote {statements}")
    print(*(f"FAILED {line}" for line in failed), sep="\n")
    return int(bool(failed))


def measure(key: str) -> dict[str, tuple[float, int]]:
    """Return milliseconds, and the width to print them in, by what is done."""
    with connection.cursor() as cursor:
        nothing = timed(lambda: cursor.execute("SELECT 1"))
    sent = draft(key)
    broadcasts.publish(sent)
    sent.refresh_from_db()
    return {
        "a query": (nothing, 10),
        "size and names": (timed(lambda: reach.of(sent)), 16),
        "send": (timed(lambda: send(key)), 8),
        "numbers": (timed(lambda: broadcasts.numbers(sent)), 10),
    }


if __name__ == "__main__":
    sys.exit(main())
