"""Many open streams, read by one thread that notes when each event came."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.sse import Cut, SSEClient

HELLO_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event on one stream."""

    stream: int
    """The number that open() returned."""
    name: str
    data: dict[str, Any]
    at: float
    """Seconds, by the monotonic clock that all processes of a machine share."""


class Listener(SSEClient):
    """One connection, read when there is something to read."""

    number: int

    def pump(self) -> list[Any]:
        """Return the events that have come. Raises Cut at the end."""
        self._receive(time.monotonic() + HELLO_SECONDS)
        return self.parser.feed(self._body_bytes())


class Listeners:
    """
    Context manager: open streams, all of them read until it is left.

    ``arrivals`` grows; ``ended`` counts streams that the server has ended.
    """

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.ended = 0
        self._opened: list[Listener] = []
        self._selector = selectors.DefaultSelector()
        self._changed = threading.Condition()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listeners")

    def __enter__(self) -> Listeners:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._leaving.set()
        self._thread.join(10)
        for listener in self._opened:
            listener.close()
        self._selector.close()

    def __len__(self) -> int:
        return len(self._opened)

    def open(self, url: str, cookies: dict[str, str]) -> int:
        """Open a stream; return its number once it has said hello and its state."""
        listener = Listener(url, cookies=cookies, within=HELLO_SECONDS)
        listener.__enter__()
        if listener.status != 200:
            raise RuntimeError(f"{url} answers {listener.status}.")
        listener.take(1, "state")
        listener.number = len(self._opened)
        self._opened.append(listener)
        self._selector.register(listener, selectors.EVENT_READ, listener)
        return listener.number

    def wait_for(self, come: Callable[[], bool], seconds: float) -> bool:
        """Wait until *come*, asked after each arrival; return whether it did."""
        with self._changed:
            return self._changed.wait_for(come, seconds)

    def _run(self) -> None:
        while not self._leaving.is_set():
            for key, _ in self._selector.select(timeout=0.1):
                self._pump(key.data)

    def _pump(self, listener: Listener) -> None:
        try:
            events = listener.pump()
        except Cut:
            events = []
            self.ended += 1
            self._selector.unregister(listener)
        now = time.monotonic()
        with self._changed:
            self.arrivals += (
                Arrival(listener.number, event.name, event.data, now)
                for event in events
            )
            self._changed.notify_all()
