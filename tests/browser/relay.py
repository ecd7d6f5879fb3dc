"""
A relay between browser and site, on a port that stays whatever the site does.

It passes, refuses, holds, or answers in the site's place; and it knows when which
path was asked for, also by what no page shows, like a shared worker.
"""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.servers import free_port

_REQUEST = re.compile(rb"(?:GET|HEAD|POST|OPTIONS) (\S+) HTTP/1\.1\r\n")
_RETRY = re.compile(rb"^retry: (\d+)$", re.MULTILINE)
_CHUNK = 65_536
_WITHIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    at: float
    """Seconds of the monotonic clock, when it came."""


class Relay:
    """
    ``with Relay(site.port) as relay``: the site, at ``relay.url``.

    Requests are recognised at the start of what a browser sends, which is where
    browsers put them: they send the next when the answer has come.
    """

    def __init__(self, target, host="127.0.0.1"):
        self.port = free_port()
        self.url = f"http://{host}:{self.port}"
        self.requests = []
        self._retries = {}  # connection → what its stream said
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay")
        self._listener = None
        self._writers = set()
        self._flowing = asyncio.Event()
        self._answer: Callable[[str], bytes | None] = lambda path: None

    def __enter__(self):
        self._thread.start()
        self.mend()
        return self

    def __exit__(self, *exc_info):
        self._run(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WITHIN_SECONDS)
        self._loop.close()

    def mend(self):
        """Pass everything on, also what was held."""
        self._run(self._mend())

    def drop(self):
        """End all open connections; new ones are welcome."""
        self._run(self._drop())

    def refuse(self):
        """End all open connections, and let nobody in."""
        self._run(self._refuse())

    def hold(self):
        """Keep everything to itself from now on, as a dead network does."""
        self._run(self._hold())

    def answer(self, status, path="/"):
        """
        Answer *status* to what is asked below *path*, instead of the site.

        Open connections end, as they do when a proxy loses its site.
        """
        answer = (
            f"HTTP/1.1 {status} Relayed\r\nConnection: close\r\n"
            + ("" if status == 204 else "Content-Length: 0\r\n")
            + "\r\n"
        ).encode()
        self._run(self._put(lambda asked: answer if asked.startswith(path) else None))

    def asked(self, path="/", since=0.0):
        """Return when what is below *path* was asked for, since a moment."""
        return [
            request.at
            for request in list(self.requests)
            if request.path.startswith(path) and request.at >= since
        ]

    @property
    def retries(self):
        """After how many seconds the open streams said to come back."""
        return list(self._retries.values())

    def _run(self, coroutine):
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(_WITHIN_SECONDS)

    async def _mend(self):
        self._answer = lambda path: None
        self._flowing.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._let_in)

    def _let_in(self):
        # asyncio's own server lets connections in that its end forgets to close.
        with suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._loop.create_task(self._serve(connection))

    def _close(self):
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _drop(self):
        for writer in self._writers:
            writer.transport.abort()

    async def _refuse(self):
        self._close()
        await self._drop()

    async def _hold(self):
        self._flowing.clear()

    async def _put(self, answer):
        self._answer = answer
        await self._drop()

    async def _leave(self):
        self._close()
        self._flowing.set()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await self._drop()
            await asyncio.wait(others, timeout=0.1)
        await asyncio.sleep(0)  # what was closed last is so in the loop's next turn

    async def _serve(self, connection):
        from_browser, to_browser = await asyncio.open_connection(sock=connection)
        with self._followed(to_browser), suppress(OSError):
            to_site = None
            try:
                while data := await self._read(from_browser):
                    if answer := self._answer_to(data):
                        to_browser.write(answer)
                        await to_browser.drain()
                        return
                    if to_site is None:
                        to_site = await self._join(to_browser)
                    to_site.write(data)
                    await to_site.drain()
            finally:
                if to_site is not None:
                    to_site.close()

    async def _join(self, to_browser):
        """Connect *to_browser* with the site; return the way there."""
        from_site, to_site = await asyncio.open_connection("127.0.0.1", self._target)
        self._loop.create_task(self._return(from_site, to_site, to_browser))
        return to_site

    async def _return(self, from_site, to_site, to_browser):
        with self._followed(to_site), suppress(OSError):
            try:
                while data := await self._read(from_site):
                    if told := _RETRY.search(data):
                        self._retries[to_browser] = int(told[1]) / 1000
                    to_browser.write(data)
                    await to_browser.drain()
            finally:
                self._retries.pop(to_browser, None)
                to_browser.close()

    async def _read(self, reader):
        data = await reader.read(_CHUNK)
        await self._flowing.wait()
        return data

    def _answer_to(self, data):
        """Note what is asked for; return the answer if it is not the site's."""
        request = _REQUEST.match(data)
        if request is None:
            return None
        path = request[1].decode()
        self.requests.append(Request(path, time.monotonic()))
        return self._answer(path)

    @contextmanager
    def _followed(self, writer):
        """Have ``drop()`` reach *writer*."""
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            if self._listener is None:
                writer.transport.abort()  # nobody is left to wait until it is flushed
            writer.close()
