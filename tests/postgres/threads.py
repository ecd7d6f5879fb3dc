"""Threads that use the ORM, and transactions that stay open until told."""

import asyncio
import threading

from django.db import connections, transaction

WITHIN = 30.0


class Thread(threading.Thread):
    """Runs *function*, closes its connections, keeps what it raised."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self._function = function
        self._arguments = arguments
        self._error = None

    def run(self):
        try:
            self._function(*self._arguments)
        except BaseException as error:
            self._error = error
        finally:
            connections.close_all()

    def finish(self, within=WITHIN):
        """Wait for its end; raise what it raised."""
        self.join(within)
        assert not self.is_alive(), f"Not finished within {within} s."
        if self._error is not None:
            raise self._error

    async def afinish(self, within=WITHIN):
        """See finish()."""
        await asyncio.to_thread(self.finish, within)


def started(function, *arguments):
    """Return a thread that runs *function*, which uses the ORM."""
    thread = Thread(function, *arguments)
    thread.start()
    return thread


class OpenTransaction:
    """
    A transaction of another thread that has done *write* and waits.

    ``async with OpenTransaction(write) as it``; then ``await it.commit()``. What
    is not committed when the block ends is rolled back.
    """

    def __init__(self, write):
        self._write = write
        self._written = threading.Event()
        self._end = threading.Event()
        self._commits = False

    def _run(self):
        with transaction.atomic():
            try:
                self.value = self._write()
            finally:
                self._written.set()
            assert self._end.wait(WITHIN)
            transaction.set_rollback(not self._commits)

    async def __aenter__(self):
        self._thread = started(self._run)
        assert await asyncio.to_thread(self._written.wait, WITHIN)
        return self

    async def commit(self):
        """Commit, and wait until its hooks have run too."""
        self._commits = True
        self._end.set()
        await self._thread.afinish()

    async def __aexit__(self, kind, error, traceback):
        self._end.set()
        try:
            await self._thread.afinish()
        except Exception:
            # What went wrong in the block matters more.
            if error is None:
                raise
