"""
A site's notifications, in PostgreSQL, as many as wanted and always the same ones.

Two sizes differ in the history of everybody else only: the heavy users' inboxes,
the broadcasts and what happened in the last hour are the same in each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from notifications.models import InboxState, Notification, Receipt
from tests.factories import make_user, make_users

USERS = 5_000
HEAVY_ROWS = 10_000
LIVE_BROADCASTS = 200
DAYS = 90

TABLE = Notification._meta.db_table
RECEIPTS = Receipt._meta.db_table
CHOSEN = Notification.users.through._meta.db_table


@dataclass(frozen=True)
class Dataset:
    """Whose inboxes are looked at, and when."""

    reader: Any
    """Staff. 10,000 rows, 97 in 100 read; receipts for two thirds of the broadcasts."""
    hoarder: Any
    """Staff. 10,000 rows, none read; receipts for a few broadcasts."""
    keeper: Any
    """Staff. 10,000 rows, all read and archived; no receipts."""
    member: Any
    """One of the many."""
    now: datetime
    """When all this is; what happened "lately" ends here."""


# Each yields recipient, audience, age in days (negative: still to come), placement,
# days until it expires (NULL: never), and whether its recipient read and archived it.
_PARTS = {
    # The heavy users: 50 of the 10,000 in the last hour, 10 of those in 5 minutes.
    "reader": """
        SELECT %(reader)s, '', {heavy_age}, 'toast', NULL::float8,
               n %% 33 > 0, n %% 10 = 1
        FROM generate_series(1, %(heavy)s) n
    """,
    "hoarder": """
        SELECT %(hoarder)s, '', {heavy_age}, 'toast', NULL::float8, false, false
        FROM generate_series(1, %(heavy)s) n
    """,
    "keeper": """
        SELECT %(keeper)s, '', {heavy_age}, 'toast', NULL::float8, true, true
        FROM generate_series(1, %(heavy)s) n
    """,
    # Everybody else in the last hour: one a second.
    "lately": """
        SELECT {somebody}, '', random() / 24, 'toast',
               CASE WHEN n %% 20 = 0 THEN 1 + random() END, false, false
        FROM generate_series(1, 3600) n
    """,
    # Their history. One in five expires after 30 days, one in ten was archived.
    "history": """
        SELECT {somebody}, '', 1.0 / 24 + random() * %(days)s, 'toast',
               CASE WHEN n %% 5 = 0 THEN 30.0 END, n %% 4 > 0, n %% 10 = 1
        FROM generate_series(1, %(history)s) n
    """,
    "scheduled": """
        SELECT {somebody}, '', -1.0 / 24 - random() * 30, 'toast', NULL, false, false
        FROM generate_series(1, %(scheduled)s) n
    """,
    "broadcasts": """
        SELECT NULL, {audience}, 1.0 / 24 + n * 89.0 / %(live)s,
               CASE WHEN n %% 20 = 0 THEN 'banner' ELSE 'toast' END,
               CASE WHEN n %% 4 = 0 THEN 91 + random() * 30 END, false, false
        FROM generate_series(1, %(live)s) n
    """,
    # Half as many were recalled or have expired, a few are yet to come.
    "broadcasts that are over": """
        SELECT NULL, {audience}, 2 + n * 87.0 / %(live)s, 'toast', 1 + random(),
               false, false
        FROM generate_series(1, %(live)s, 2) n
    """,
    "broadcasts to come": """
        SELECT NULL, {audience}, -n, 'toast', NULL, false, false
        FROM generate_series(1, 20) n
    """,
}
_EXPRESSIONS = {
    "heavy_age": """
        CASE WHEN n <= 10 THEN random() * 5 / 1440 WHEN n <= 50 THEN random() / 24
             ELSE 1.0 / 24 + random() * %(days)s END
    """,
    "somebody": "(%(members)s::bigint[])[1 + floor(random() * %(users)s)::int]",
    "audience": """
        CASE WHEN n %% 10 < 5 THEN 'everyone' WHEN n %% 10 < 6 THEN 'staff'
             WHEN n %% 10 < 8 THEN %(group)s WHEN n %% 10 < 9 THEN 'group:0'
             ELSE 'users' END
    """,
}
# In the order in which they were written, as in a real table: an inbox is spread
# over all of it.
_INSERT = f"""
    INSERT INTO {TABLE} (
        recipient_id, audience, placement, publish_at, announced_at, expires_at,
        read_at, archived_at, created_at, title, body, url, level, category, data,
        translations, actor_text, target_id, target_text, dismissible, is_test,
        delivered_count
    )
    SELECT recipient, audience, placement, at,
           CASE WHEN age > 0 THEN at + interval '20 ms' END,
           at + lifetime * interval '1 day',
           CASE WHEN is_read THEN at + interval '1 minute' END,
           CASE WHEN is_archived THEN at + interval '2 minutes' END,
           least(at, %(now)s), 'Report ' || md5(age::text) || ' is ready',
           repeat('Ada has commented on it. ', 3), '/reports/1/', 20, 'general',
           jsonb_build_object(), jsonb_build_object(), '', '', '', true, false, 0
    FROM (
        SELECT *, %(now)s::timestamptz - age * interval '1 day' AS at
        FROM ({{parts}}) AS p (
            recipient, audience, age, placement, lifetime, is_read, is_archived
        )
    ) AS rows
    ORDER BY at
"""
_CHOOSE = f"""
    INSERT INTO {CHOSEN} (notification_id, user_id)
    SELECT n.id, u FROM {TABLE} n, unnest(%(members)s::bigint[]) u
    WHERE n.audience = 'users' AND u %% 25 = 0
    UNION
    SELECT n.id, u FROM {TABLE} n, unnest(%(heavy_users)s::bigint[]) u
    WHERE n.audience = 'users' AND n.id %% 2 = 0
"""
# Everybody's in the order in which they were written.
_RECEIVE = f"""
    INSERT INTO {RECEIPTS} (user_id, notification_id, read_at, archived_at)
    SELECT member, id, at, CASE WHEN random() < 0.2 THEN at END
    FROM (
        SELECT %(reader)s AS member, id, publish_at + random() * interval '9 days' AS at
        FROM {TABLE} WHERE recipient_id IS NULL AND announced_at IS NOT NULL
                           AND random() < 0.67
        UNION ALL
        SELECT %(hoarder)s, id, publish_at + random() * interval '9 days'
        FROM {TABLE} WHERE recipient_id IS NULL AND announced_at IS NOT NULL
                           AND random() < 0.05
        UNION ALL
        SELECT member, id, publish_at + random() * interval '9 days'
        FROM {TABLE}, unnest(%(members)s::bigint[]) member
        WHERE recipient_id IS NULL AND audience = 'everyone'
              AND announced_at IS NOT NULL AND random() < %(receipts)s
    ) AS r
    ORDER BY at
"""


# For superusers only; for others it does nothing.
_CHECK_FOREIGN_KEYS = """
    SELECT set_config('session_replication_role', %s, false)
    FROM pg_roles WHERE rolname = current_user AND rolsuper
"""


def fill(rows: int) -> Dataset:
    """
    Replace what the database holds by about *rows* notifications.

    Takes about 25 s for a million. Ends with VACUUM ANALYZE.
    """
    _empty()
    group = Group.objects.create(name="editors")
    members = [user.pk for user in make_users(USERS)]
    joined = timezone.now() - timedelta(days=2 * DAYS)
    heavy = [
        make_user(name, is_staff=True, date_joined=joined)
        for name in ("ada", "bob", "eve")
    ]
    for user in heavy:
        user.groups.add(group)
    now = timezone.now()
    _fill(rows, now, group, members, [user.pk for user in heavy])
    InboxState.objects.bulk_create(
        InboxState(user_id=pk, seen_until=now - timedelta(hours=1))
        for pk in [*members, *(user.pk for user in heavy)]
    )
    get_user_model().objects.filter(pk__in=members).update(date_joined=joined)
    _vacuum()
    return Dataset(*heavy, get_user_model().objects.get(pk=members[0]), now)


def _vacuum() -> None:
    """Until all is known to be visible: an autovacuum may be in the way at first."""
    pages = (
        "SELECT sum(relpages), sum(relallvisible) FROM pg_class WHERE relname = ANY(%s)"
    )
    with connection.cursor() as cursor:
        for _ in range(10):
            cursor.execute("VACUUM ANALYZE")
            cursor.execute(pages, [[TABLE, RECEIPTS, CHOSEN]])
            all_pages, visible = cursor.fetchone()
            if visible >= 0.99 * all_pages:
                return
    raise RuntimeError(f"Only {visible} of {all_pages} pages are visible to all.")


def _empty() -> None:
    tables = [TABLE, RECEIPTS, CHOSEN, InboxState._meta.db_table]
    tables += [get_user_model()._meta.db_table, Group._meta.db_table]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")


def _fill(
    rows: int, now: datetime, group: Group, members: list[Any], heavy: list[Any]
) -> None:
    scheduled = rows // 200
    known = 3 * HEAVY_ROWS + 3600 + scheduled + 2 * LIVE_BROADCASTS
    parameters = {
        "now": now,
        "reader": heavy[0],
        "hoarder": heavy[1],
        "keeper": heavy[2],
        "heavy": HEAVY_ROWS,
        "heavy_users": heavy,
        "members": members,
        "users": len(members),
        "group": f"group:{group.pk}",
        "days": DAYS,
        "live": LIVE_BROADCASTS,
        "scheduled": scheduled,
        "history": rows - known,
        "receipts": rows / 10 / (USERS * LIVE_BROADCASTS * 0.75),
    }
    parts = " UNION ALL ".join(_PARTS.values()).format(**_EXPRESSIONS)
    with connection.cursor() as cursor:
        # Foreign keys are right by construction; checking them doubles the time.
        cursor.execute(_CHECK_FOREIGN_KEYS, ["replica"])
        cursor.execute("SELECT setseed(0.5)")
        for statement in (_INSERT.format(parts=parts), _CHOOSE, _RECEIVE):
            cursor.execute(statement, parameters)
        cursor.execute(_CHECK_FOREIGN_KEYS, ["origin"])
