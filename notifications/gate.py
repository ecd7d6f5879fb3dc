"""
How many may authenticate for a stream at once.

After a restart every page comes back within seconds. Each authentication takes
a thread and a database connection; the rest of the site needs some, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

WIDTH: Final = 16
QUEUE_SECONDS: Final = 5.0

_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
_gates = WeakKeyDictionary()


class Crowded(Exception):
    """Nobody got through in time."""


@asynccontextmanager
async def passage() -> AsyncIterator[None]:
    """
    Pass, at most 16 at a time in this event loop.

    Raises:
        Crowded: Not within 5 seconds.
    """
    semaphore = _gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(WIDTH))
    try:
        async with asyncio.timeout(QUEUE_SECONDS):
            await semaphore.acquire()
    except TimeoutError:
        raise Crowded from None
    try:
        yield
    finally:
        semaphore.release()
