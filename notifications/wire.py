"""
The connection to the channel layer; the only module that imports Channels.

One daemon thread with an event loop of its own, so that a slow, frozen or absent
Redis costs nobody else anything. It may lose anything, and says when it does.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from channels.layers import BaseChannelLayer, channel_layers
from django.utils.crypto import salted_hmac

from .conf import conf
from .forking import ForkLock

Message = dict[str, Any]

TYPE: Final = "live_notifications"
VERSION: Final = 1
CANARY: Final = "canary"
DOWN: Final = "The notification bus is down: %s"

QUEUE_LIMIT: Final = 10_000
SEND_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 2.0
LEAVE_SECONDS: Final = 0.5
CANARY_SECONDS: Final = 3.0
STUCK_SECONDS: Final = 15.0
THREAD_NAME: Final = "notifications-bus"

_importing = ForkLock()


def _is_not_ours(record: logging.LogRecord) -> bool:
    return record.threadName != THREAD_NAME


# The layer logs a traceback a second while its Redis is away. The bus says what
# is to be said of its own connection; that of the project's consumers may log.
logging.getLogger("channels_redis.pubsub").addFilter(_is_not_ours)


class WireDown(Exception):
    """The layer does not carry messages any more."""


def group() -> str:
    """
    Return the name of the group that this site's processes are in.

    Redis' pub/sub has one space of names for all its databases, so sites that share
    a server would hear each other. What the processes of one site have in common, and
    those of no other have, is their ``SECRET_KEY``.
    """
    identity = salted_hmac(TYPE, "group", algorithm="sha256").hexdigest()
    return f"{TYPE}.{identity[:16]}"


def is_configured() -> bool:
    """Whether ``CHANNEL_LAYERS`` has the entry that the app is to use."""
    return conf.CHANNEL_LAYER in channel_layers.configs


class Wire(threading.Thread):
    """
    The thread, and one *session* after another in it.

    A session is one event loop with one channel layer. Whatever goes wrong ends
    the session and the next starts with a new loop and a new layer, because a
    layer whose connection broke does not always mend itself.
    """

    def __init__(
        self,
        hear: Callable[[Message], None],
        feel: Callable[[bool], None],
        warn: Callable[..., None],
        stuck: Wire | None = None,
    ) -> None:
        """Take over from *stuck*, one that was interrupted."""
        super().__init__(name=THREAD_NAME, daemon=True)
        self.healthy = False
        self._stuck = stuck
        self._hear, self._feel, self._warn = hear, feel, warn
        self._state = threading.Condition()
        self._queue: deque[Message] = deque()
        self._unsent = 0
        self._turned_at = time.monotonic()
        self._listening = False
        self._stopping = False
        self._group = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    def put(self, kind: str, content: Message) -> bool:
        """Queue a message; return whether there was room."""
        # As text: msgpack, which both Redis layers use, has no integers over 64 bits.
        body = json.dumps(content)
        message = {"type": TYPE, "v": VERSION, "kind": kind, "body": body}
        with self._state:
            if len(self._queue) >= QUEUE_LIMIT:
                return False
            self._queue.append(message)
            self._unsent += 1
        self._nudge()
        return True

    def listen(self) -> None:
        self._listening = True
        self._nudge()

    def wait_until_healthy(self, seconds: float) -> bool:
        with self._state:
            return self._state.wait_for(lambda: self.healthy, seconds)

    def is_stuck(self) -> bool:
        """Whether the loop owes a turn for longer than any of its waits takes."""
        return time.monotonic() - self._turned_at > STUCK_SECONDS

    def interrupt(self) -> None:
        """
        Break a loop that spins, so that it notices that it is to stop.

        channels_redis' pub/sub layer spins once its socket has timed out (with
        TCP keepalive on), and would burn one CPU for good. Nothing else reaches
        a thread that neither waits nor returns to its loop.
        """
        self.healthy = False
        self._stopping = True
        if self.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.ident), ctypes.py_object(WireDown)
            )

    def flush(self, seconds: float) -> bool:
        # Counted, not "the queue is empty": the last one may be on its way.
        with self._state:
            return self._state.wait_for(lambda: self._unsent == 0, seconds)

    def stop(self, seconds: float) -> None:
        with self._state:
            self._stopping = True
            self._state.notify_all()
        self._nudge()
        if self is not threading.current_thread():
            self.join(seconds)

    def run(self) -> None:
        while not self._stopping:
            try:
                with asyncio.Runner(loop_factory=_Loop) as runner:
                    runner.run(self._session())
            # Deliberate: whatever a layer raises, the business must not feel it.
            except Exception as error:
                if not self._stopping:
                    self._warn(DOWN, _reason(error))
            self._turned_at = time.monotonic()
            self._loop = self._wake = None
            self._drop()
            self._set_healthy(False)
            with self._state:
                self._state.wait_for(lambda: self._stopping, RETRY_SECONDS)

    def _nudge(self) -> None:
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None:
            with suppress(RuntimeError):  # closed: between two sessions
                loop.call_soon_threadsafe(wake.set)

    def _drop(self) -> None:
        """Forget what waits; the sweep of whoever listens covers it."""
        with self._state:
            self._queue.clear()
            self._unsent = 0
            self._state.notify_all()

    def _set_healthy(self, healthy: bool) -> None:
        if healthy != self.healthy and not self._stopping:
            with self._state:
                self.healthy = healthy
                self._state.notify_all()
            self._feel(healthy)

    async def _session(self) -> None:
        with _importing:
            layer = channel_layers.make_backend(conf.CHANNEL_LAYER)
        self._group = group()
        wake = self._wake = asyncio.Event()
        wake.set()
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_stray_error)
        try:
            async with asyncio.TaskGroup() as tasks:
                turning = tasks.create_task(self._turn())
                listener: asyncio.Task[None] | None = None
                while not self._stopping:
                    await wake.wait()
                    wake.clear()
                    if self._listening and listener is None:
                        listener = tasks.create_task(self._listen(layer))
                    await self._send_queued(layer)
                turning.cancel()
                if listener is not None:
                    listener.cancel()
        finally:
            # Pub/sub closes with its loop; the core layer wants to be told.
            if close_pools := getattr(layer, "close_pools", None):
                await close_pools()

    def _on_stray_error(self, loop: object, context: dict[str, Any]) -> None:
        """The core layer leaves tasks behind that fail when Redis goes away."""
        if error := context.get("exception"):
            self._warn(DOWN, _reason(error))

    async def _turn(self) -> None:
        """Note that the loop turns, and end it if it was given up for stuck."""
        while not self._stopping:
            self._turned_at = time.monotonic()
            await asyncio.sleep(CANARY_SECONDS)
            self._interrupt_again()
        self._turned_at = time.monotonic()  # it has heard: once is enough
        raise WireDown("interrupted")

    def _interrupt_again(self) -> None:
        """
        Interrupt the one before this if it spins yet.

        Python ignores what strikes in the callback of a weak reference, and an event
        loop keeps its tasks in a set of these.
        """
        if self._stuck is None:
            return
        if not self._stuck.is_alive():
            self._stuck = None
        elif self._stuck.is_stuck():
            self._stuck.interrupt()

    async def _send_queued(self, layer: BaseChannelLayer) -> None:
        while self._queue:
            message = self._queue.popleft()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await layer.group_send(self._group, message)
            finally:
                with self._state:
                    self._unsent -= 1
                    self._state.notify_all()
            # The in-memory layer never suspends, and drops what exceeds 100
            # unread: the listener must have its turn.
            await asyncio.sleep(0)

    async def _listen(self, layer: BaseChannelLayer) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            channel = await layer.new_channel()
        heard = asyncio.Event()
        tasks = [
            asyncio.create_task(self._receive(layer, channel, heard)),
            asyncio.create_task(self._sing(layer, channel, heard)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _end(tasks)
            # The core layer keeps the names of the dead for a day, and sends to
            # each of them.
            with suppress(Exception):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await layer.group_discard(self._group, channel)

    async def _receive(
        self, layer: BaseChannelLayer, channel: str, heard: asyncio.Event
    ) -> None:
        """
        Hold one receive() at a time and never cancel it before the end.

        Cancelling one, as a heartbeat by ``wait_for`` would, loses messages on
        both Redis layers.
        """
        failed_at = -1.0
        while not self._stopping:
            try:
                message = await layer.receive(channel)
            except Exception:
                # redis-py 8 times an idle core layer out every 5 s; only a
                # receive that fails at once again means a broken wire.
                if time.monotonic() - failed_at < 1.0:
                    raise
                failed_at = time.monotonic()
                continue
            if message.get("kind") != CANARY:
                self._hear(_opened(message))
            elif message.get("channel") == channel:
                heard.set()

    async def _sing(
        self, layer: BaseChannelLayer, channel: str, heard: asyncio.Event
    ) -> None:
        """
        Send a canary to ourselves; end the session when two stay unheard.

        Join the group again each time: Redis may have lost it, or let it expire.
        """
        canary = {"type": TYPE, "v": VERSION, "kind": CANARY, "channel": channel}
        misses = 0
        for number in itertools.count():
            heard.clear()
            async with asyncio.timeout(SEND_SECONDS):
                await layer.group_add(self._group, channel)
                await layer.group_send(self._group, {**canary, "number": number})
            try:
                async with asyncio.timeout(CANARY_SECONDS):
                    await heard.wait()
            except TimeoutError:
                misses += 1
                if misses == 2:
                    raise WireDown("two canaries in a row did not return") from None
                continue
            misses = 0
            self._set_healthy(True)
            await asyncio.sleep(CANARY_SECONDS)


def _opened(message: Message) -> Message:
    """Return *message* with what its body holds; as it is if that is not to be read."""
    with suppress(KeyError, TypeError, ValueError):
        return {"kind": message["kind"], **json.loads(message["body"])}
    return message


class _Loop(asyncio.SelectorEventLoop):
    async def getaddrinfo(self, host: Any, port: Any, **kwargs: Any) -> Any:
        # At interpreter exit no thread may be started any more, and the last
        # messages of a short-lived process may still wait for a connection.
        try:
            return await super().getaddrinfo(host, port, **kwargs)
        except RuntimeError:
            return socket.getaddrinfo(host, port, **kwargs)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """
    Cancel *tasks* until they are done: the core layer may swallow a cancellation.

    redis-py sends within ``asyncio.wait_for()`` where it has a socket timeout, and
    that drops the one that comes as it finishes (Python 3.11, bpo-37658).
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)


def _reason(error: BaseException) -> str:
    """Say what *error* is; redis-py leaves host and cause out of its ``repr()``."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".removesuffix(": ")
