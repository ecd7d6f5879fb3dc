"""
This process's open streams, and who gets what.

Fed by the bus from its thread and by the sweep from the reader's; gives each
event loop its share in one call. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from . import audiences, clock, events, payloads, revocation
from .bus import bus
from .conf import conf
from .constants import Placement
from .events import Cursor, Event, to_microseconds
from .reader import Reader
from .roster import Roster
from .sweeper import GRACE_SECONDS, Sweeper
from .tally import Tally
from .wire import Message

if TYPE_CHECKING:
    from .stream import Stream

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Pages come back with their questions spread over this time after a fault.
REFRESH_MS: Final = 2000
TICK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A frame without its ``id:``, shared by every stream that gets it."""

    body: bytes
    cursor: Cursor | None = None
    key: tuple[int, int] | None = None
    """``(id, announced_us)`` of a notification: what a stream had, it skips."""


Shares = defaultdict[asyncio.AbstractEventLoop, list[tuple["Stream", Offer]]]


class Hub:
    """
    The streams of one process, by recipient and by audience.

    Thread-safe. It listens to the bus from the first stream on, and sweeps only
    while there are any: a process that never served one does no work. ``live``
    and ``swept`` count the notifications handed to a stream from the wire and
    from the table.
    """

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._roster = Roster()
        self._ticking: set[asyncio.AbstractEventLoop] = set()
        # Whose staff are to hear that the numbers of broadcasts have changed.
        self._recounting: set[asyncio.AbstractEventLoop] = set()
        self._sweeper = Sweeper(self)
        self._tally = Tally()
        self._reader: Reader | None = None
        self._wire_missed_since: float | None = None
        self.live = 0
        self.swept = 0

    # Streams

    def count(self) -> int:
        return len(self._roster)

    @property
    def full(self) -> bool:
        """Whether the process holds as many streams as ``MAX_STREAMS`` allows."""
        return len(self._roster) >= conf.MAX_STREAMS

    def register(self, stream: Stream) -> None:
        """
        Add *stream*, in its event loop; from now on it is offered what comes.

        A user who has too many loses the oldest.
        """
        self._roster.add(stream)
        mine = self._roster.of_recipient(stream.recipient)
        for oldest in mine[: max(0, len(mine) - conf.MAX_STREAMS_PER_USER)]:
            self._call(oldest.loop, oldest.end, "replaced")
        reader = self._wake_up()
        if len(self._roster) == 1:
            reader.sweep_within(0)
        with self._lock:
            if stream.loop not in self._ticking:
                self._ticking.add(stream.loop)
                stream.loop.call_later(self._tick_seconds(), self._tick, stream.loop)

    def subscribe(self, stream: Stream, audiences: Iterable[str]) -> None:
        """Have *stream* hear these audiences and no others."""
        self._roster.subscribe(stream, audiences)

    def unregister(self, stream: Stream) -> None:
        """Forget *stream*; again does no harm."""
        self._roster.discard(stream)

    def reaches(self, recipient: Any, audience: str) -> bool:
        """Whether an open stream is for *recipient* (a pk), or hears *audience*."""
        if recipient is not None:
            return bool(self._roster.of_recipient(str(recipient)))
        return bool(self._roster.of_audience(audience))

    async def read(self, job: Callable[[], T]) -> T:
        """Return what *job*, a function that reads the database, returns."""
        return await asyncio.wrap_future(self._wake_up().submit(job))

    def close(self) -> None:
        """End the reader and forget all streams; the next one starts anew."""
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop(5.0)
        self._forget()

    # Handing over

    def deliver(self, message: Message, *, swept: bool = False) -> None:
        """Offer the notifications of *message* to the streams they are for."""
        at, data = message["at"], message["data"]
        streams_of: Callable[[str], list[Stream]]
        if "audience" in message:
            addressed = [(message["audience"], message["id"])]
            streams_of = self._roster.of_audience
        else:
            addressed, streams_of = message["to"], self._roster.of_recipient
        shares: Shares = defaultdict(list)
        for address, id in addressed:
            streams = streams_of(address)
            if "audience" in message:
                streams = _there_then(streams, data)
            # Only what there is an open stream for is remembered: one that opens
            # later replays the rest from the table.
            if not streams or not self._sweeper.remember((id, at, address)):
                continue
            if swept:
                # One that is starting reads it itself, later in this thread.
                streams = [stream for stream in streams if stream.lacks((id, at))]
            event = payloads.event(id, at, data)
            offer = Offer(event.body(), event.cursor, (id, at))
            for stream in streams:
                shares[stream.loop].append((stream, offer))
        count = sum(map(len, shares.values()))
        if count and (message.get("broadcast") or "audience" in message):
            self._count_delivered(addressed[0][1], count, data)
        with self._lock:
            if swept:
                self.swept += count
            else:
                self.live += count
        self._share(shares)

    def _count_delivered(self, pk: int, count: int, data: dict[str, Any]) -> None:
        if self._reader is not None and not data.get("is_test"):
            self._tally.add(pk, count)
            self._reader.submit(self._tally.write)

    def remove(self, pk: int, recipients: Iterable[str], audience: str) -> None:
        """Tell pages that notification *pk* is shown no longer."""
        event = Event(events.REMOVED, {"ids": [pk]})
        self._offer(event, self._heard_by(recipients, audience))

    def end(self, reason: str) -> None:
        """End every stream with a ``bye``."""
        for stream in self._roster.all():
            self._call(stream.loop, stream.end, reason)

    def _heard_by(self, recipients: Iterable[str], audience: str = "") -> list[Stream]:
        found = self._roster.of_audience(audience)
        for recipient in recipients:
            found += self._roster.of_recipient(recipient)
        return found

    def _offer(self, event: Event, streams: Iterable[Stream]) -> None:
        offer = Offer(event.body(), event.cursor)
        shares: Shares = defaultdict(list)
        for stream in streams:
            shares[stream.loop].append((stream, offer))
        self._share(shares)

    def _share(self, shares: Shares) -> None:
        for loop, share in shares.items():
            self._call(loop, _hand_over, share)

    def _call(
        self, loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any
    ) -> None:
        try:
            loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed, and so are its streams
            with self._lock:
                self._forget_loop(loop)
            for stream in self._roster.of_loop(loop):
                self.unregister(stream)

    def _forget_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ticking.discard(loop)
        self._recounting.discard(loop)

    # The wheel: one timer per event loop, not per stream

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            streams = self._roster.of_loop(loop)
            if not streams:
                self._forget_loop(loop)
                return
        loop.call_later(self._tick_seconds(), self._tick, loop)
        now = time.monotonic()
        for stream in streams:
            _spare_others(stream, stream.tick, now)
        if loop in self._recounting:
            self._recounting.discard(loop)
            staff = self._roster.of_audience(audiences.STAFF)
            self._offer(
                Event(events.NUMBERS, {}), [one for one in staff if one.loop is loop]
            )

    def _tick_seconds(self) -> float:
        return min(TICK_SECONDS, conf.HEARTBEAT_SECONDS / 2, conf.STREAM_SECONDS / 4)

    # Hearing the bus, in its thread

    def listen(self) -> None:
        """Listen to the bus; if it is stuck, this has it replaced."""
        if not bus.listening:
            self._wire_missed_since = time.monotonic()
        bus.listen(self._hear, self._feel)

    def wait_for_wire(self) -> None:
        """
        Give a wire that is only just starting its moment, a second at most.

        In the reader, before the first hello of a process: what is sent once
        that was read should be heard.
        """
        if (since := self._wire_missed_since) is not None:
            bus.wait_until_healthy(max(0, since + GRACE_SECONDS - time.monotonic()))

    def _wake_up(self) -> Reader:
        with self._lock:
            self.listen()
            if self._reader is None:
                self._reader = Reader(self._sweeper.sweep)
                self._reader.start()
            return self._reader

    def _hear(self, message: Message) -> None:
        hear = self._HEARS.get(message.get("kind", ""))
        try:
            if hear is None:
                raise LookupError(f"kind {message.get('kind')!r}")
            hear(self, message)
        except Exception:
            self._sweep_within(0)
            raise

    def _feel(self, healthy: bool) -> None:
        if not healthy:
            self._wire_missed_since = time.monotonic()
            self._sweep_within(0)
            return
        missed, self._wire_missed_since = self._wire_missed_since, None
        # What was announced meanwhile. Later than the grace, or it is skipped.
        self._sweep_within(GRACE_SECONDS * 1.1)
        if missed is not None and time.monotonic() - missed > GRACE_SECONDS:
            event = Event(events.REFRESH, {"within_ms": REFRESH_MS})
            self._offer(event, self._roster.all())

    def _sweep_within(self, seconds: float) -> None:
        if self._reader is not None:
            self._reader.sweep_within(seconds)

    def _hear_state(self, message: Message) -> None:
        event = Event(events.STATE, message["data"])
        self._offer(event, self._heard_by([message["to"]]))
        self._recount()  # it may have been a broadcast that was seen or read

    def _hear_event(self, message: Message) -> None:
        offer = Offer(message["body"].encode("ascii"))
        shares: Shares = defaultdict(list)
        for stream in self._heard_by(message["to"], message["audience"]):
            shares[stream.loop].append((stream, offer))
        self._share(shares)

    def _hear_refresh(self, message: Message) -> None:
        event = Event(events.REFRESH, {"within_ms": 0})
        self._offer(event, self._heard_by([message["to"]]))
        self._recount()

    def _hear_numbers(self, message: Message) -> None:
        self._recount()

    def _recount(self) -> None:
        """Tell staff that numbers have changed, with the next turn of the wheel."""
        with self._lock:
            self._recounting |= self._ticking

    def _hear_poke(self, message: Message) -> None:
        self._sweep_within(0)

    def _hear_logout(self, message: Message) -> None:
        for stream in self._roster.all():
            is_meant = stream.recipient != message.get("but")
            if is_meant and stream.session == message["session"]:
                self._call(stream.loop, stream.end, "logout")

    def _hear_recheck(self, message: Message) -> None:
        users = message["users"]
        streams = self._roster.all() if users is None else self._heard_by(users)
        if streams and self._reader is not None:
            self._reader.submit(lambda: self._recheck(streams))

    def _recheck(self, streams: Iterable[Stream]) -> None:
        """End the streams whose user may not listen any more (in the reader)."""
        for stream in streams:
            try:
                user = revocation.authorise(stream.user.pk, stream.session_key)
                keys = audiences.keys_of(user) if user else frozenset()
            # Deliberate: sessions may be in a cache, or anywhere. Whoever may listen
            # comes back, and is then authenticated as ever.
            except Exception as error:
                bus.warn("Streams cannot be checked and are ended: %r", error)
                self._call(stream.loop, stream.end, "expired")
                continue
            if user is None:
                self._call(stream.loop, stream.end, "revoked")
                continue
            stream.user = user
            if keys != stream.audiences:
                self.subscribe(stream, keys)
                cursor = Cursor.at(clock.now())
                event = Event(events.RESET, {"reason": "audiences"}, cursor)
                self._offer(event, [stream])

    _HEARS: Final = {
        "notifications": deliver,
        "state": _hear_state,
        "event": _hear_event,
        "refresh": _hear_refresh,
        "numbers": _hear_numbers,
        "poke": _hear_poke,
        "logout": _hear_logout,
        "recheck": _hear_recheck,
    }


def _there_then(streams: list[Stream], data: dict[str, Any]) -> list[Stream]:
    """
    Return those of *streams* whose users had joined when *data* was published.

    For others it is in no inbox, but a correction of it is announced today.
    """
    if data["placement"] == Placement.BANNER:
        return streams
    published = to_microseconds(datetime.fromisoformat(data["publish_at"]))
    joined = [audiences.joined_at(stream.user) for stream in streams]
    return [
        stream
        for stream, moment in zip(streams, joined, strict=True)
        if moment is None or to_microseconds(moment) <= published
    ]


def _hand_over(share: list[tuple[Stream, Offer]]) -> None:
    for stream, offer in share:
        _spare_others(stream, stream.offer, offer)


def _spare_others(stream: Stream, method: Callable[..., None], *args: Any) -> None:
    """Call *method*; if it fails, that is the end of this stream alone."""
    try:
        method(*args)
    except Exception:
        logger.exception("A stream of user %s failed.", stream.recipient)
        stream.close()


hub = Hub()
