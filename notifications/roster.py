"""Which streams this process has open: by recipient, by audience, by event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .stream import Stream

K = TypeVar("K")
Index = defaultdict[K, set["Stream"]]


class Roster:
    """
    The open streams, looked up by whom they are for. Thread-safe.

    ``add``, ``discard`` and ``subscribe`` keep the indexes true; every look-up
    returns a collection of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._by_recipient: Index[str] = defaultdict(set)
        self._by_audience: Index[str] = defaultdict(set)
        self._by_loop: Index[asyncio.AbstractEventLoop] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: Stream) -> None:
        with self._lock:
            self._streams.add(stream)
            self._by_loop[stream.loop].add(stream)
            self._by_recipient[stream.recipient].add(stream)

    def discard(self, stream: Stream) -> None:
        """Forget *stream*; again does no harm."""
        with self._lock:
            self._streams.discard(stream)
            _discard(self._by_loop, stream.loop, stream)
            _discard(self._by_recipient, stream.recipient, stream)
            for key in stream.audiences:
                _discard(self._by_audience, key, stream)

    def subscribe(self, stream: Stream, audiences: Iterable[str]) -> None:
        """Have *stream* hear these audiences and no others."""
        with self._lock:
            if stream not in self._streams:
                return
            for key in stream.audiences:
                _discard(self._by_audience, key, stream)
            stream.audiences = frozenset(audiences)
            for key in stream.audiences:
                self._by_audience[key].add(stream)

    def all(self) -> list[Stream]:
        with self._lock:
            return list(self._streams)

    def of_loop(self, loop: asyncio.AbstractEventLoop) -> list[Stream]:
        with self._lock:
            return list(self._by_loop.get(loop, ()))

    def of_recipient(self, recipient: str) -> list[Stream]:
        """Return the streams of one user, the oldest first."""
        with self._lock:
            mine = self._by_recipient.get(recipient, ())
            return sorted(mine, key=lambda stream: stream.opened_at)

    def of_audience(self, audience: str) -> list[Stream]:
        with self._lock:
            return list(self._by_audience.get(audience, ()))


def _discard(index: Index[Any], key: Any, stream: Stream) -> None:
    if key in index:
        index[key].discard(stream)
        if not index[key]:
            del index[key]
