"""How many open streams had each broadcast live, on its way into the table."""

from __future__ import annotations

import threading
from collections import Counter

from django.db import DatabaseError, router
from django.db.models import F

from .bus import bus
from .models import Notification


class Tally:
    """
    Counts by broadcast, gathered while they are handed out and then written.

    Thread-safe. One UPDATE per process and broadcast, not one per stream. What
    cannot be written is kept, and written with the next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()

    def add(self, pk: int, streams: int) -> None:
        with self._lock:
            self._counts[pk] += streams

    def write(self) -> None:
        """Add to the rows what has been counted; in the hub's reader."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        rows = Notification.objects.using(router.db_for_write(Notification))
        try:
            for pk in list(counts):
                delivered = F("delivered_count") + counts[pk]
                rows.filter(pk=pk).update(delivered_count=delivered)
                del counts[pk]
        except DatabaseError as error:
            bus.warn("Live deliveries could not be counted: %r", error)
            with self._lock:
                self._counts += counts
            return
        bus.send("numbers")
