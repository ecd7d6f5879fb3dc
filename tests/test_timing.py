import hashlib
import os
import threading
from contextlib import contextmanager

from .timing import Stopwatch

WAIT_MS = 100


@contextmanager
def busy_threads():
    """Have more threads of this process compute than there are processors."""
    done = threading.Event()
    work = bytes(10_000_000)  # long enough that hashing it lets go of the GIL

    def compute():
        while not done.is_set():
            hashlib.sha256(work)

    threads = [threading.Thread(target=compute) for _ in range(4 * os.cpu_count())]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(10)


def wait():
    threading.Event().wait(WAIT_MS / 1000)


def test_threads_that_lack_a_processor_hide_no_wait_of_the_callers():
    with busy_threads(), Stopwatch() as watch:
        wait()

    assert WAIT_MS <= watch.blocked_ms <= watch.ms
