"""
Three ways to read a stream, all through one strict parser.

``Parser`` follows the WHATWG HTML standard, section 9.2.6, to the letter.
``SSEClient`` is a blocking client on a raw socket, for live servers.
``Stream`` runs the ASGI application in this process and can leave at any moment.
Every wait has a deadline, which a busy machine may take longer to keep.
"""

import asyncio
import codecs
import json
import re
import socket
import time
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from asgiref.sync import sync_to_async

from .factories import log_in
from .waiting import patience

WITHIN = 10.0

_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r(?!\Z))")


@dataclass(frozen=True)
class Received:
    """One event as a browser would dispatch it, and the lines it was made of."""

    name: str
    text: str
    last_event_id: str
    lines: tuple[str, ...]

    @property
    def data(self):
        return json.loads(self.text)

    @property
    def id(self):
        """The ``id:`` of its own block, or None."""
        ids = [line for line in self.lines if line.partition(":")[0] == "id"]
        return ids[-1].partition(":")[2].removeprefix(" ") if ids else None


class Parser:
    """Bytes in, events out, however the bytes are cut."""

    def __init__(self):
        self.last_event_id = ""
        self.retry_ms = None
        self.comments = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._started = False
        self._id = ""
        self._clear()

    def _clear(self):
        self._name = ""
        self._data = []
        self._lines = []

    def feed(self, data):
        self._text += self._decoder.decode(data)
        if not self._started and self._text:
            self._started = True
            self._text = self._text.removeprefix("\ufeff")
        events = []
        position = 0
        while match := _LINE.match(self._text, position):
            position = match.end()
            events += self._take_line(match[1])
        self._text = self._text[position:]
        return events

    def _take_line(self, line):
        if line == "":
            return self._dispatch()
        self._lines.append(line)
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "":
            self.comments.append(value)
        elif field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            self.retry_ms = int(value)
        return []

    def _dispatch(self):
        self.last_event_id = self._id
        events = []
        if self._data:
            name = self._name or "message"
            text = "\n".join(self._data)
            events = [Received(name, text, self._id, tuple(self._lines))]
        self._clear()
        return events


def parse(data):
    """Return the events in *data*."""
    return Parser().feed(data)


def names(events):
    return [event.name for event in events]


def titles(events):
    """Return the titles of the notifications among *events*."""
    return [event.data["title"] for event in events if event.name == "notification"]


def ids(events):
    """Return the ids of the notifications among *events*."""
    return [event.data["id"] for event in events if event.name == "notification"]


class Cut(Exception):
    """The server ended the stream, or said nothing before the deadline."""


class SSEClient:
    """
    A client of a live server: connects on entry, reads when asked.

    ``status`` and ``headers`` (names in small letters) are the answer's;
    ``events`` is everything read so far, ``cursor`` what EventSource would send
    as ``Last-Event-ID`` after a cut here. For an answer other than a stream,
    ``body`` reads it.
    """

    def __init__(
        self, url, *, cookies=None, last_event_id=None, cursor=None, headers=(),
        method="GET", within=WITHIN,
    ):  # fmt: skip
        parts = urlsplit(url)
        query = "&".join(
            filter(None, [parts.query, urlencode({"cursor": cursor}) if cursor else ""])
        )
        lines = [
            f"{method} {parts.path}{'?' + query if query else ''} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Accept: text/event-stream",
            "Accept-Encoding: gzip",
            *(f"{name}: {value}" for name, value in dict(headers).items()),
        ]
        if cookies:
            pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
            lines.append(f"Cookie: {pairs}")
        if last_event_id is not None:
            lines.append(f"Last-Event-ID: {last_event_id}")
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._address = (parts.hostname, parts.port)
        self._within = within
        self._buffer = b""
        self._waiting = []
        self.parser = Parser()
        self.raw = b""
        self.events = []
        self.ended = False

    def __enter__(self):
        return self.connect().answer()

    def connect(self):
        """Send the request; entering does, and waits for the answer's head."""
        self._socket = socket.create_connection(self._address, timeout=self._within)
        self._socket.sendall(self._request)
        return self

    def answer(self):
        """Wait for the answer's head."""
        deadline = self._deadline()
        while b"\r\n\r\n" not in self._buffer:
            self._receive(deadline)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *headers = head.decode("latin-1").split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in headers)
        }
        self._chunked = self.headers.get("transfer-encoding") == "chunked"
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._socket.close()

    def fileno(self):
        return self._socket.fileno()

    @property
    def cursor(self):
        """The last event id of what was taken, as EventSource keeps it."""
        return self.events[-1].last_event_id if self.events else ""

    def _deadline(self, within=None):
        return time.monotonic() + patience(self._within if within is None else within)

    def _receive(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise Cut(f"Nothing more in time; so far {names(self.events)}.")
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise Cut(f"Nothing more in time; so far {names(self.events)}.") from None
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            raise Cut(f"The server has ended it; so far {names(self.events)}.")
        self._buffer += data

    def _body_bytes(self):
        """Return the bytes of the body that have arrived; chunks only whole."""
        if not self._chunked:
            data, self._buffer = self._buffer, b""
            return data
        data = b""
        while match := re.match(rb"([0-9a-fA-F]+)\r\n", self._buffer):
            size = int(match[1], 16)
            end = match.end() + size + 2
            if len(self._buffer) < end:
                break
            if size == 0:
                self.ended = True
            data += self._buffer[match.end() : end - 2]
            self._buffer = self._buffer[end:]
        return data

    def take(self, count, name=None, *, within=None):
        """
        Return the next *count* events, or the next *count* called *name*.

        Raises:
            Cut: The stream ended, or *within* seconds were over.
        """
        deadline = self._deadline(within)
        taken = []
        while len(taken) < count:
            event = self._take_one(deadline)
            if name is None or event.name == name:
                taken.append(event)
        return taken

    def _take_one(self, deadline):
        while not self._waiting:
            if self.ended:
                raise Cut(f"The server has ended it; so far {names(self.events)}.")
            data = self._body_bytes()
            self.raw += data
            self._waiting += self.parser.feed(data)
            if not self._waiting and not self.ended:
                self._receive(deadline)
        self.events.append(self._waiting.pop(0))
        return self.events[-1]

    def rest(self, *, within=None):
        """Return everything up to the end that the server makes."""
        before = len(self.events)
        deadline = self._deadline(within)
        while True:
            try:
                self._take_one(deadline)
            except Cut:
                if not self.ended:
                    raise
                return self.events[before:]

    def body(self, *, within=None):
        """Return the whole body of an answer that has a Content-Length."""
        deadline = self._deadline(within)
        while len(self._buffer) < int(self.headers["content-length"]):
            self._receive(deadline)
        return self._buffer


class Stream:
    """
    One request to the ASGI application, as a server would make it.

    Entering waits for the answer's head. ``hold()`` keeps the application
    blocked in ``send``, as a full socket does. Leaving disconnects and waits
    for the application to return.
    """

    def __init__(self, application, path, *, query="", headers=(), user=None,
                 cookies=None, method="GET", within=WITHIN):  # fmt: skip
        self._application = application
        self._path = path
        self._query = query
        self._headers = {
            "host": "testserver",
            "accept": "text/event-stream",
            "accept-encoding": "gzip",
            **dict(headers),
        }
        self._user = user
        self._cookies = cookies
        self._method = method
        self._within = within
        self._incoming = asyncio.Queue()
        self._outgoing = asyncio.Queue()
        self._free = asyncio.Event()
        self._free.set()
        self._waiting = []
        self.parser = Parser()
        self.raw = b""
        self.events = []
        self.complete = False

    async def __aenter__(self):
        if self._user is not None:
            self._cookies = await sync_to_async(log_in)(self._user)
        if self._cookies:
            pairs = (f"{name}={value}" for name, value in self._cookies.items())
            self._headers["cookie"] = "; ".join(pairs)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._method,
            "scheme": "http",
            "path": self._path,
            "raw_path": self._path.encode(),
            "query_string": self._query.encode("latin-1"),
            "headers": [
                (name.lower().encode("latin-1"), str(value).encode("latin-1"))
                for name, value in self._headers.items()
            ],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
        }
        self._incoming.put_nowait({"type": "http.request", "body": b""})
        self._task = asyncio.create_task(
            self._application(scope, self._incoming.get, self._send)
        )
        try:
            start = await self._message()
        except BaseException:
            await self.disconnect()
            raise
        self.status = start["status"]
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in start["headers"]
        }
        self.cookies = SimpleCookie(self.headers.get("set-cookie", ""))
        return self

    async def __aexit__(self, *exc_info):
        await self.disconnect()

    async def _send(self, message):
        self._outgoing.put_nowait(message)
        await self._free.wait()

    def hold(self):
        """Block the application in its next ``send``."""
        self._free.clear()

    def release(self):
        self._free.set()

    async def _message(self):
        """Return the application's next message, or raise what it raised."""
        getter = asyncio.create_task(self._outgoing.get())
        try:
            async with asyncio.timeout(patience(self._within)):
                await asyncio.wait(
                    {getter, self._task}, return_when=asyncio.FIRST_COMPLETED
                )
        except TimeoutError:
            raise Cut(f"Nothing more in time; so far {names(self.events)}.") from None
        finally:
            if not getter.done():
                getter.cancel()
        if getter.done() and not getter.cancelled():
            return getter.result()
        self._task.result()
        raise Cut(f"The application has returned; so far {names(self.events)}.")

    async def _read(self):
        message = await self._message()
        self.raw += message.get("body", b"")
        self._waiting += self.parser.feed(message.get("body", b""))
        self.complete = not message.get("more_body", False)

    @property
    def cursor(self):
        """The last event id of what was taken, as EventSource keeps it."""
        return self.events[-1].last_event_id if self.events else ""

    async def take(self, count, name=None):
        """Return the next *count* events, or the next *count* called *name*."""
        taken = []
        while len(taken) < count:
            while not self._waiting:
                if self.complete:
                    raise Cut(f"It is complete; so far {names(self.events)}.")
                await self._read()
            event = self._waiting.pop(0)
            self.events.append(event)
            if name is None or event.name == name:
                taken.append(event)
        return taken

    async def until(self, name):
        """Return everything up to and with the next event called *name*."""
        before = len(self.events)
        await self.take(1, name)
        return self.events[before:]

    async def until_end_or(self, name):
        """Return everything up to the next event called *name*, or the end."""
        before = len(self.events)
        while self._waiting or not self.complete:
            if not self._waiting:
                await self._read()
                continue
            self.events.append(self._waiting.pop(0))
            if self.events[-1].name == name:
                break
        return self.events[before:]

    async def rest(self):
        """Return everything up to the end that the application makes."""
        before = len(self.events)
        while not self.complete:
            await self._read()
        self.events += self._waiting
        self._waiting = []
        return self.events[before:]

    async def body(self):
        while not self.complete:
            await self._read()
        return self.raw

    async def disconnect(self):
        """Leave, as a client does that closes the socket."""
        self._incoming.put_nowait({"type": "http.disconnect"})
        self._free.set()
        await self._returned()

    async def disconnect_blocked(self):
        """Leave while the application is blocked in ``send`` and stays so."""
        self._incoming.put_nowait({"type": "http.disconnect"})
        await self._returned()

    async def _returned(self):
        async with asyncio.timeout(patience(self._within)):
            await asyncio.wait({self._task})
        if not self._task.cancelled() and self._task.exception() is not None:
            raise self._task.exception()
