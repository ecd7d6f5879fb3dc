"""Whether this process can do its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import DatabaseError, InterfaceError, connections, router

from .bus import bus
from .hub import hub
from .models import Notification

# A message to ourselves takes milliseconds; the first one connects, too.
BUS_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Health:
    database: bool
    """Whether a query was answered."""
    bus: bool
    """Whether a message sent to ourselves came back lately."""
    streams: int
    """How many are open in this process."""

    @property
    def ok(self) -> bool:
        return self.database and self.bus


def examine() -> Health:
    """Ask the database and the bus; takes a second at most where the bus is down."""
    connection = connections[router.db_for_write(Notification)]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        database = True
    except (DatabaseError, InterfaceError):
        database = False
    hub.listen()
    return Health(database, bus.wait_until_healthy(BUS_SECONDS), hub.count())
