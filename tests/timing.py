"""How long something took, and how much of that it did not wait for the machine."""

import time
from contextlib import suppress
from pathlib import Path


class Stopwatch:
    """
    Context manager. ``ms`` is how long the block took; ``blocked_ms`` is less.

    What is taken off is the time in which a thread of this process could have run
    and had no processor, as the kernel counts it. So a test may be strict about
    what waits for Redis on a machine that is busy with other tests: who waits for
    Redis does not wait for a processor. Without Linux both are the same.
    """

    def __enter__(self):
        self._starved_ns = _starved_ns()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exc_info):
        self.ms = (time.perf_counter() - self._start) * 1000
        starved_ns = sum(
            ns - self._starved_ns.get(thread, 0) for thread, ns in _starved_ns().items()
        )
        self.blocked_ms = max(0, self.ms - starved_ns / 1_000_000)


def _starved_ns():
    """Return how long each thread has waited for a processor so far, in ns."""
    found = {}
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # that thread has ended
            found[path.parent.name] = int(path.read_text().split()[1])
    return found
