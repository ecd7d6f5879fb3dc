"""
One open response: hello, replay, state, then what comes.

An iterator object, not a generator: a generator's ``finally`` does not run when
the client leaves while the server is blocked in ``send``. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
import time
from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, cast

from django.contrib.auth.base_user import AbstractBaseUser

from . import audiences, clock, events, payloads, revocation
from .conf import conf
from .events import Cursor, Event, frame, to_microseconds
from .hub import Offer, hub
from .inbox import Inbox, Replay
from .models import Notification

logger = logging.getLogger(__name__)
_started = itertools.count(random.randrange(1_000_000))

# How long clients wait that lost the server. Each is told another time of these:
# multiples of the golden ratio fill an interval evenly, where chance makes heaps.
RETRY_MS: Final = (500, 4000)
GOLDEN_RATIO: Final = (math.sqrt(5) - 1) / 2
# Frames that wait leave in one write, but a long replay in several: a server
# with back-pressure would otherwise hold it all.
WRITE_BYTES: Final = 65_536


class Stream:
    """
    An async iterator of bytes for one user.

    Args:
        user: Who listens; saved.
        cursor: Where to resume; None for a client that has nothing yet.
        reset: Why the client must refetch, where its cursor was not one.
        session_key: The session it came with; ends with it.

    It registers itself with the hub when first iterated, in the event loop that
    does, and leaves it on ``close()``, which is idempotent and may be called
    from any thread. Iterating never raises but to end: an exception in a body
    breaks Daphne for the whole process.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        user: AbstractBaseUser,
        *,
        cursor: Cursor | None = None,
        reset: str = "",
        session_key: str | None = None,
    ) -> None:
        self.user = user
        self.recipient = str(user.pk)
        self.audiences: frozenset[str] = frozenset()
        self.session_key = session_key
        self.session = revocation.digest(session_key) if session_key else ""
        self.opened_at = 0.0
        self._cursor = cursor
        self._resumed_at = cursor
        self._reset = reset
        self._had: set[tuple[int, int]] = set()
        self._floor_us = 0
        self._started = False
        self._beginning: deque[Offer] = deque()
        self._offers: deque[Offer] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._bytes = 0
        self._quiet_since = 0.0
        self._deadline = 0.0
        self._ending = False
        self._closed = False

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        try:
            if not self._started:
                return await self._start()
            while not self._closed:
                if chunk := self._drain():
                    return chunk
                if self._ending:
                    break
                await self._wait()
        # Deliberate: see the class. The client resumes from the table.
        except Exception:
            logger.exception("A stream of user %s failed.", self.recipient)
        self.close()
        raise StopAsyncIteration

    def lacks(self, key: tuple[int, int]) -> bool:
        """Whether it has read what it begins with, and that was not in it."""
        return self._floor_us > 0 and not self._has(key)

    def offer(self, offer: Offer) -> None:
        """Take a frame to send; in the stream's event loop."""
        if self._ending or self._closed or (offer.key and self._has(offer.key)):
            return
        if len(self._offers) >= conf.QUEUE_SIZE:
            # What is dropped was never sent, so its cursor is not the client's.
            self._offers.clear()
            self.end("overflow")
            return
        self._offers.append(offer)
        self._wake()

    def end(self, reason: str) -> None:
        """Say ``bye`` after what waits, and end; in the stream's event loop."""
        if self._ending or self._closed:
            return
        self._offers.append(Offer(Event(events.BYE, {"reason": reason}).body()))
        self._ending = True
        self._wake()

    def tick(self, now: float) -> None:
        """Keep heartbeat and deadline; the hub calls this for all its streams."""
        if not self._quiet_since:  # still starting
            return
        if now >= self._deadline:
            self.end("expired")
        elif now - self._quiet_since >= conf.HEARTBEAT_SECONDS and not self._offers:
            self.offer(Offer(Event(events.PING, {}).body()))

    def close(self) -> None:
        """Leave the hub, and end. What waits is dropped; the client resumes."""
        if self._closed:
            return
        self._closed = True
        if self._started:
            hub.unregister(self)
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self._wake)

    async def _start(self) -> bytes:
        self._started = True
        self.loop = asyncio.get_running_loop()
        self.opened_at = time.monotonic()
        # Never replay before register: what is announced in between is lost.
        hub.register(self)
        self._beginning.extend(await hub.read(self._load))
        retry_ms = next_retry_ms()
        lifetime = conf.STREAM_SECONDS * random.uniform(0.8, 1.0)
        self._deadline = self.opened_at + lifetime
        return b"retry: %d\n" % retry_ms + self._drain()

    def _load(self) -> list[Offer]:
        """Return hello, replay and state. Runs in the hub's reader."""
        hub.wait_for_wire()
        # Whoever signed out between the view and register() did so unheard.
        user = revocation.authorise(self.user.pk, self.session_key)
        if user is None:
            self.loop.call_soon_threadsafe(self.end, "revoked")
            return []
        self.user = user
        inbox = Inbox(self.user)
        hub.subscribe(self, inbox.audiences)
        now = clock.now()
        head = Cursor.at(now)
        replay = Replay(reset=self._reset) if self._reset else None
        replay = replay or inbox.replay(self._cursor or head, now)
        shown = replay.items if self._cursor else []
        if replay.reset or self._cursor is None:
            self._cursor = head
        overlap = timedelta(seconds=conf.OVERLAP_SECONDS)
        self._floor_us = to_microseconds(self._cursor.moment - overlap)
        self._resumed_at = self._cursor
        self._had = {(row.pk, _announced_us(row)) for row in replay.items}
        self._had.add((self._cursor.id, self._cursor.microseconds))
        hello = {
            "cursor": str(self._cursor),
            "as_of": head.microseconds,
            "audiences": audiences.digest(inbox.audiences),
            "heartbeat_ms": round(conf.HEARTBEAT_SECONDS * 1000),
            "version": events.WIRE_VERSION,
        }
        beginning = [Event(events.HELLO, hello, self._cursor)]
        if replay.reset:
            beginning.append(Event(events.RESET, {"reason": replay.reset}, head))
        beginning += (
            payloads.event(row.pk, _announced_us(row), payloads.payload(row))
            for row in shown
        )
        if replay.removed:
            beginning.append(Event(events.REMOVED, {"ids": replay.removed}))
        state = inbox.state([row.pk for row in shown])
        del state["removed"]  # an event of its own
        beginning.append(Event(events.STATE, state))
        return [Offer(event.body(), event.cursor) for event in beginning]

    def _drain(self) -> bytes:
        """Return the frames that wait, about 64 KiB at most; none if none do."""
        chunk = bytearray()
        was_beginning = bool(self._beginning)
        while len(chunk) < WRITE_BYTES and (self._beginning or self._offers):
            if self._beginning:
                offer = self._beginning.popleft()
            else:
                offer = self._offers.popleft()
                if offer.key and self._has(offer.key):
                    continue
            if offer.cursor is not None:
                # Never backwards: the overlap's rows are older than the client's
                # cursor, and one cut again and again would drift back.
                self._cursor = max(self._cursor or offer.cursor, offer.cursor)
                chunk += frame(offer.body, self._cursor)
            else:
                chunk += offer.body
        if chunk:
            self._quiet_since = time.monotonic()
            self._bytes += len(chunk)
            has_begun = was_beginning and not self._beginning
            if has_begun and self._cursor == self._resumed_at:
                # It had the overlap's rows alone, and would get them again.
                self._bytes = 0
            if self._bytes >= conf.MAX_STREAM_BYTES and self._may_end():
                # Daphne buffers without bound what a client does not read.
                self._beginning.clear()
                self._offers.clear()
                self.end("limit")
        return bytes(chunk)

    def _may_end(self) -> bool:
        # Not amid the overlap's rows, which come first: the client would come
        # back with the cursor it had, to the same rows, for ever.
        moved = not self._beginning or self._cursor != self._resumed_at
        return moved and not self._ending

    def _has(self, key: tuple[int, int]) -> bool:
        return key in self._had or key[1] < self._floor_us

    async def _wait(self) -> None:
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def next_retry_ms() -> int:
    shortest, longest = RETRY_MS
    share = next(_started) * GOLDEN_RATIO % 1
    return round(shortest + share * (longest - shortest))


def _announced_us(row: Notification) -> int:
    # Only announced rows are replayed.
    return to_microseconds(cast(datetime, row.announced_at))
