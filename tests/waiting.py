"""The only place that waits for something to become true."""

import asyncio
import inspect
import threading
import time

# Whoever waits is not to keep those busy that are waited for.
_STEP_SECONDS = 0.025


def eventually(predicate, *, within=5.0):
    """Return the first true value of *predicate*; fail after *within* seconds."""
    deadline = time.monotonic() + within
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"Not within {within} s."
        threading.Event().wait(_STEP_SECONDS)
    return value


async def aeventually(predicate, *, within=5.0):
    """See eventually(); *predicate* may be a coroutine function."""
    async with asyncio.timeout(within):
        while True:
            value = predicate()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(_STEP_SECONDS)
