"""What a process must not be forked amid."""

from __future__ import annotations

import os
import threading
from typing import Final

WAIT_SECONDS: Final = 5.0


class ForkLock:
    """
    A lock that forking the process waits for, 5 seconds at most.

    A child is forked with what other threads have half done, and for good: a module
    that one of them is importing stays half a module there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_held = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._hold,
                after_in_parent=self._let_go,
                after_in_child=self._renew,
            )

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()

    def _hold(self) -> None:
        self._is_held = self._lock.acquire(timeout=WAIT_SECONDS)

    def _let_go(self) -> None:
        if self._is_held:
            self._lock.release()

    def _renew(self) -> None:
        self._lock = threading.Lock()
