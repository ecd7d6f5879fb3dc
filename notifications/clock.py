"""
The one clock: the database's.

App servers' clocks differ; rows are stamped, shown and resumed by one that they
share. It is read and bound as a parameter, never written as ``Now()`` into an
INSERT or UPDATE: SQLite would store another text form than Django binds, and the
value is needed for the cursor.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db import connections, router
from django.utils import timezone

from .models import Notification

_SQL = {
    # The statement's time, not the transaction's: a long transaction moves on.
    "postgresql": "SELECT STATEMENT_TIMESTAMP() AT TIME ZONE 'UTC'",
    # The connection's own time zone is not Django's business on MySQL.
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "oracle": "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL",
}


def now() -> datetime:
    """
    Return the time of the database that notifications are written to.

    Aware where ``USE_TZ`` is on. One statement; none on SQLite, whose clock is
    this machine's.
    """
    connection = connections[router.db_for_write(Notification)]
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_SQL[connection.vendor])
        moment: datetime = cursor.fetchone()[0].replace(tzinfo=UTC)
    if settings.USE_TZ:
        return moment
    return timezone.make_naive(moment, timezone.get_default_timezone())
