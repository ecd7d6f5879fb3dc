"""How long something took, and how much of that it did not wait for the machine."""

import threading
import time
from pathlib import Path


class Stopwatch:
    """
    Context manager. ``ms`` is how long the block took; ``blocked_ms`` is less.

    What is taken off is the time in which one thread could have run and had no
    processor, as the kernel counts it. So a test may be strict about what waits
    for Redis on a machine that is busy with other tests: who waits for Redis does
    not wait for a processor. Without Linux both are the same.

    It is the caller's thread, or the one whose native id is *thread*, if the block
    awaits what that one does. Never more than one: a thread that is kept and one
    beside it that has no processor would cancel each other out.
    """

    def __init__(self, thread=None):
        self._thread = thread or threading.get_native_id()

    def __enter__(self):
        self._start = time.perf_counter()
        self._starved_ns = self._read()
        return self

    def __exit__(self, *exc_info):
        # Read within the time that is taken: no more comes off than is in it.
        starved_ns = self._read() - self._starved_ns
        self.ms = (time.perf_counter() - self._start) * 1000
        self.blocked_ms = self.ms - starved_ns / 1_000_000

    def _read(self):
        """Return how long the thread has waited for a processor so far, in ns."""
        path = Path(f"/proc/self/task/{self._thread}/schedstat")
        return int(path.read_text().split()[1]) if path.exists() else 0
