"""The only place that waits for something to become true, and how long it may take."""

import asyncio
import inspect
import os
import threading
import time

# Whoever waits is not to keep those busy that are waited for.
_STEP_SECONDS = 0.025
# A test that fails shall say so before pytest's own limit ends it.
_MOST = 5


def patience(within):
    """
    Return what *within* is on this machine: that long, or longer where it is busy.

    A bound is what a machine keeps that has a processor for whoever wants one. Where
    several want each, everything takes so many times longer, through nobody's fault.
    """
    wanting = os.getloadavg()[0] / os.cpu_count()
    return within * min(max(1, wanting), _MOST)


def eventually(predicate, *, within=5.0):
    """Return the first true value of *predicate*; fail after *within* seconds."""
    start = time.monotonic()
    while not (value := predicate()):
        waited = time.monotonic() - start
        assert waited < patience(within), f"Not within {within} s, nor {waited:.1f}."
        threading.Event().wait(_STEP_SECONDS)
    return value


async def aeventually(predicate, *, within=5.0):
    """See eventually(); *predicate* may be a coroutine function."""
    async with asyncio.timeout(patience(within)):
        while True:
            value = predicate()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(_STEP_SECONDS)
