"""The only place that waits for something to become true."""

import asyncio
import threading
import time

_STEP_SECONDS = 0.01


def eventually(predicate, *, within=5.0):
    """Return the first true value of *predicate*; fail after *within* seconds."""
    deadline = time.monotonic() + within
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"Not within {within} s."
        threading.Event().wait(_STEP_SECONDS)
    return value


async def aeventually(predicate, *, within=5.0):
    """See eventually()."""
    async with asyncio.timeout(within):
        while not (value := predicate()):  # noqa: ASYNC110 - anything may be waited for
            await asyncio.sleep(_STEP_SECONDS)
    return value
