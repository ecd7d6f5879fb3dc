"""The only place that waits for something to become true, and how long it may take."""

import asyncio
import inspect
import os
import threading
import time

# Whoever waits is not to keep those busy that are waited for: what is asked of a server
# takes it some milliseconds. So they ask at first this often, then ever less.
_STEP_SECONDS = 0.025
_STEP_SHARE = 0.1
_MOST_STEP_SECONDS = 0.25
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


def _step(waited):
    """Return for how long to wait before the next look, after *waited* seconds."""
    return max(_STEP_SECONDS, min(waited * _STEP_SHARE, _MOST_STEP_SECONDS))


def eventually(predicate, *, within=5.0):
    """Return the first true value of *predicate*; fail after *within* seconds."""
    start = time.monotonic()
    while not (value := predicate()):
        waited = time.monotonic() - start
        assert waited < patience(within), f"Not within {within} s, nor {waited:.1f}."
        threading.Event().wait(_step(waited))
    return value


async def aeventually(predicate, *, within=5.0):
    """See eventually(); *predicate* may be a coroutine function."""
    start = time.monotonic()
    # With one more look when the time is up, as there.
    async with asyncio.timeout(patience(within) + _step(within)):
        while True:
            value = predicate()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(_step(time.monotonic() - start))
