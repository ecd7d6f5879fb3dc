"""
The hub's own thread: every database read on behalf of streams happens in it.

One thread and one connection per process, however many streams there are. The
connection is closed when nobody has needed it for a while.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from django.db import close_old_connections, connections

logger = logging.getLogger(__name__)

T = TypeVar("T")

IDLE_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 2.0


class Reader(threading.Thread):
    """
    Run jobs one after another, and *sweep* whenever it is due.

    *sweep* returns in how many seconds it wants to run again, or None if not
    before somebody asks by ``sweep_within()``.
    """

    def __init__(self, sweep: Callable[[], float | None]) -> None:
        super().__init__(name="notifications-hub", daemon=True)
        self._sweep = sweep
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._due: float | None = None
        self._stopping = False

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Have *job* run in the thread."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    close_old_connections()
                    future.set_result(job())
                except Exception as error:
                    future.set_exception(error)

        self._jobs.put(run)
        return future

    def sweep_within(self, seconds: float) -> None:
        """Have the next sweep at most *seconds* from now."""
        due = time.monotonic() + seconds
        with self._lock:
            if self._due is not None and self._due <= due:
                return
            self._due = due
        self._jobs.put(_nothing)

    def stop(self, seconds: float) -> None:
        """End the thread after the job it is at, and wait for that."""
        self._stopping = True
        self._jobs.put(_nothing)
        self.join(seconds)

    def run(self) -> None:
        while not self._stopping:
            self._turn()
        connections.close_all()

    def _turn(self) -> None:
        left = self._seconds_left()
        try:
            job = self._jobs.get(timeout=IDLE_SECONDS if left is None else left)
        except queue.Empty:
            if left is None or left == IDLE_SECONDS:
                connections.close_all()
        else:
            job()
        if self._seconds_left() == 0:
            self._sweep_now()

    def _seconds_left(self) -> float | None:
        """Until the next sweep, or until idle if that is earlier; None if never."""
        with self._lock:
            if self._due is None:
                return None
            return min(IDLE_SECONDS, max(0.0, self._due - time.monotonic()))

    def _sweep_now(self) -> None:
        with self._lock:
            self._due = None
        try:
            close_old_connections()
            seconds = self._sweep()
        # Deliberate: a database that fails now is asked again, not given up.
        except Exception:
            logger.exception("The sweep failed; the next one is in 2 seconds.")
            seconds = RETRY_SECONDS
        if seconds is not None:
            self.sweep_within(seconds)


def _nothing() -> None:
    """Wake the thread."""
