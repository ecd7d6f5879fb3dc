"""
Streaming responses, and giving the request back.

Django's ASGI handler keeps one thread per open response, and any query made in
it a database connection, until the response ends.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections
from django.http import StreamingHttpResponse

from .events import Event

logger = logging.getLogger(__name__)

HEADERS = {
    "Cache-Control": "private, no-store, no-transform",
    # nginx would otherwise hold even the headers back.
    "X-Accel-Buffering": "no",
    # GZipMiddleware leaves alone what has an encoding; compressing a stream
    # costs 98 KiB each and delays nothing for the better.
    "Content-Encoding": "identity",
}


class EventStreamResponse(StreamingHttpResponse):
    """
    Stream *events* as Server-Sent Events, from any async view.

    Args:
        events: An async iterable of ``Event``, or of frames that are bytes.
            Its ``close()``, if it has one, is called when the response ends,
            also when the client leaves; it may be called from another thread.

    While it is open it holds neither a thread nor a database connection: the
    request's are given back when the body starts. So *events* should make its
    queries with ``sync_to_async(..., thread_sensitive=False)``, and close them.
    An exception in *events* is logged and ends the response.
    """

    def __init__(self, events: AsyncIterable[Event | bytes], **kwargs: Any) -> None:
        kwargs.setdefault("content_type", "text/event-stream; charset=utf-8")
        super().__init__(Body(events), **kwargs)
        for name, value in HEADERS.items():
            self.headers.setdefault(name, value)


class Body:
    """
    An iterator object around *events* that releases the request first.

    It never raises: an exception in a body breaks Daphne for the whole process.
    """

    def __init__(self, events: AsyncIterable[Event | bytes]) -> None:
        self._events = events
        self._iterator: AsyncIterator[Event | bytes] | None = None

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        try:
            if self._iterator is None:
                # Here and not in the view: middleware still runs after that.
                await release_request()
                self._iterator = aiter(self._events)
            item = await anext(self._iterator)
            return item.encode() if isinstance(item, Event) else item
        except StopAsyncIteration:
            raise
        # Deliberate: see the class.
        except Exception:
            logger.exception("An event stream failed.")
            raise StopAsyncIteration from None

    def close(self) -> None:
        if close := getattr(self._events, "close", None):
            close()


async def release_request() -> None:
    """
    Give back the thread and the database connections of this request.

    There is no public way inside an app: ``request_started`` makes the
    request's executor before any middleware runs. It touches no executor that
    is not the request's own: an outer wrapper's would be missed by the next
    request. tests/test_responses.py fails when asgiref changes underneath.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    executors = SyncToAsync.context_to_thread_executor
    if context is None or context not in executors:
        return  # a test client, or nothing is held
    if getattr(context, "_executor", None) is not None:
        return  # an executor handed in from outside
    await sync_to_async(_close_connections)()
    if executor := executors.pop(context, None):
        executor.shutdown(wait=False)


def _close_connections() -> None:
    for connection in connections.all(initialized_only=True):
        # close_old_connections() would keep those with CONN_MAX_AGE.
        if not connection.in_atomic_block:
            connection.close()
