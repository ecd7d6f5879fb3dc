"""
The wire between processes, as the rest of the app sees it.

``send()`` costs a request no more than appending to a queue, whatever becomes of
Redis. What the wire loses the table repairs (see ``hub``).
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from .wire import QUEUE_LIMIT, Message, Wire, is_configured

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 1.0
WARN_SECONDS: Final = 60.0


class Bus:
    """
    Send to, and hear, every process that shares the channel layer.

    Thread-safe. The first ``send()`` or ``listen()`` of a process starts its
    wire, so a forked child never shares its parent's.
    """

    def __init__(self) -> None:
        self._forget()
        self._warned_at = -WARN_SECONDS
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            # Two processes that pop one channel would steal from each other.
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._on_message: Callable[[Message], None] | None = None
        self._on_health: Callable[[bool], None] | None = None

    @property
    def healthy(self) -> bool:
        """Whether a message sent here came back lately. False unless listening."""
        return self._wire is not None and self._wire.healthy

    @property
    def listening(self) -> bool:
        return self._wire is not None and self._on_message is not None

    def send(self, kind: str, **content: Any) -> bool:
        """
        Hand a message to the wire; never wait, never raise for the wire's sake.

        *content* is what JSON and msgpack both can carry. Returns whether it
        was queued; False where there is no layer, no thread, or no room.
        """
        wire = self._ensure_wire()
        if wire is None:
            return False
        if not wire.put(kind, content):
            self.warn("The bus is full: more than %d messages wait.", QUEUE_LIMIT)
            return False
        return True

    def listen(
        self,
        on_message: Callable[[Message], None],
        on_health: Callable[[bool], None],
    ) -> bool:
        """
        Call *on_message* for every message, from the wire's own thread.

        Calling it again is how a stuck wire is replaced, in time.

        *on_health* hears True once the wire is known to carry, False when it
        stops, True when it is back. Neither may block. Returns whether there is
        a wire to listen to.
        """
        self._on_message, self._on_health = on_message, on_health
        wire = self._ensure_wire()
        if wire is not None:
            wire.listen()
        return wire is not None

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until what was sent has left, at most *seconds*; say whether it has."""
        return self._wire is None or self._wire.flush(seconds)

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Flush, then stop the wire. The next ``send()`` starts another."""
        with self._lock:
            wire, self._wire = self._wire, None
            self._on_message = self._on_health = None
            self._warned_at = -WARN_SECONDS
        if wire is not None:
            deadline = time.monotonic() + seconds
            wire.flush(seconds)
            wire.stop(max(0.1, deadline - time.monotonic()))

    def wait_until_healthy(self, seconds: float) -> bool:
        """Wait at most *seconds* for a message sent here to come back."""
        return self._wire is not None and self._wire.wait_until_healthy(seconds)

    def warn(self, message: str, *args: object) -> None:
        """Log at most one warning a minute: one fault is not worth more lines."""
        if time.monotonic() - self._warned_at >= WARN_SECONDS:
            self._warned_at = time.monotonic()
            logger.warning(message, *args)

    def _hear(self, message: Message) -> None:
        try:
            if self._on_message is not None:
                self._on_message(message)
        # Deliberate: what is on the wire comes from other processes, perhaps of
        # another version, and must not cost us the wire. The table has it right.
        except Exception as error:
            self.warn("A message on the bus was not understood: %r", error)

    def _feel(self, healthy: bool) -> None:
        if self._on_health is not None:
            self._on_health(healthy)

    def _ensure_wire(self) -> Wire | None:
        wire = self._wire
        if wire is not None and not wire.is_stuck():
            return wire
        if not is_configured() or greenlets():
            return None
        with self._lock:
            stuck = None
            if self._wire is not None and self._wire.is_stuck():
                self.warn("The notification bus is stuck; a new one takes over.")
                self._wire.interrupt()
                stuck, self._wire = self._wire, None
                self._feel(False)
            if self._wire is None:
                wire = Wire(self._hear, self._feel, self.warn, stuck)
                try:
                    wire.start()
                except RuntimeError:  # the interpreter is ending
                    return None
                self._wire = wire
                if self._on_message is not None:
                    wire.listen()
            return self._wire


def greenlets() -> bool:
    """Whether gevent or eventlet replaced threads: a loop in one would hang."""
    if gevent := sys.modules.get("gevent.monkey"):
        return bool(gevent.is_module_patched("threading"))
    if eventlet := sys.modules.get("eventlet.patcher"):
        return bool(eventlet.is_monkey_patched("thread"))
    return False


bus = Bus()
