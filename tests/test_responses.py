"""A view's own stream, and giving the request back."""

import asyncio
import threading
from contextlib import AsyncExitStack

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.contrib.auth import get_user_model
from django.core.signals import request_finished
from django.db import connections
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path

from notifications.events import Event
from notifications.responses import EventStreamResponse

from .sse import names
from .waiting import aeventually

pytestmark = pytest.mark.django_db(transaction=True)


class Tokens:
    """What a view streams, and what became of it."""

    def __init__(self, *items, then=None):
        self.items = list(items)
        self.then = then
        self.closed = 0
        self.threads = None

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.items:
            return self.items.pop(0)
        if isinstance(self.then, Exception):
            raise self.then
        if self.then is None:
            raise StopAsyncIteration
        return await self.then()

    def close(self):
        self.closed += 1


async def for_ever():
    await asyncio.Event().wait()


def token(text):
    return Event("token", {"text": text})


async def own_stream(request):
    await get_user_model().objects.acount()  # a thread, and a connection in it
    return EventStreamResponse(own_stream.waiting.pop(0))


class SyncOnlyMiddleware:
    sync_capable, async_capable = True, False

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        get_user_model().objects.count()
        return self.get_response(request)


urlpatterns = [
    path("own/", own_stream),
    path("plain/", lambda request: HttpResponse("plain")),
    path("notifications/", include("notifications.urls")),
]


@pytest.fixture(autouse=True)
def _urls(settings):
    settings.ROOT_URLCONF = __name__
    own_stream.waiting = []


@pytest.fixture
def open_own(open_stream):
    def open_own(events, **options):
        own_stream.waiting.append(events)
        return open_stream(path="/own/", **options)

    return open_own


async def test_a_view_streams_its_own_events(open_own):
    events = Tokens(token("a"), token("b"), b"event: raw\ndata: {}\n\n")

    async with open_own(events) as stream:
        received = await stream.rest()

    assert names(received) == ["token", "token", "raw"]
    assert [event.data for event in received[:2]] == [{"text": "a"}, {"text": "b"}]
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "private, no-store, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    assert events.closed >= 1


async def test_a_view_may_stream_an_async_generator(open_own):
    async def tokens():
        yield token("a")
        yield token("b")

    async with open_own(tokens()) as stream:
        received = await stream.rest()

    assert names(received) == ["token", "token"]


async def test_the_first_event_leaves_before_the_second_is_there(open_own):
    async with open_own(Tokens(token("a"), then=for_ever)) as stream:
        assert names(await stream.take(1)) == ["token"]


async def test_an_error_in_the_events_is_logged_and_ends_the_response(open_own, caplog):
    events = Tokens(token("a"), then=RuntimeError("no more tokens"))

    async with open_own(events) as stream:
        received = await stream.rest()

    assert names(received) == ["token"]
    assert "no more tokens" in caplog.text
    assert events.closed >= 1


async def test_an_event_that_is_no_json_is_logged_and_ends_the_response(
    open_own, caplog
):
    async with open_own(Tokens(token(object()), token("b"))) as stream:
        assert await stream.rest() == []

    assert "not JSON" in caplog.text


async def test_leaving_closes_the_events(open_own):
    events = Tokens(token("a"), then=for_ever)

    async with open_own(events) as stream:
        await stream.take(1)
        assert events.closed == 0

    assert events.closed >= 1


def request_threads():
    """Return the threads that requests' executors have running."""
    return {
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("ThreadPoolExecutor")
    }


@pytest.mark.parametrize(
    "middleware",
    [[], ["tests.test_responses.SyncOnlyMiddleware"]],
    ids=["startproject's", "and a sync one"],
)
async def test_an_open_stream_holds_no_thread_and_no_executor(
    middleware, open_own, settings
):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *middleware]
    before = request_threads(), len(SyncToAsync.context_to_thread_executor)
    streams = [open_own(Tokens(token("a"), then=for_ever)) for _ in range(5)]

    async with AsyncExitStack() as opened:
        for stream in streams:
            await opened.enter_async_context(stream)
            await stream.take(1)
        await aeventually(lambda: request_threads() <= before[0])
        executors = len(SyncToAsync.context_to_thread_executor)

    assert executors == before[1]


async def test_an_open_stream_holds_no_connection_whatever_its_age_may_be(
    open_own, monkeypatch
):
    settings = connections.settings["default"]
    monkeypatch.setitem(settings, "CONN_MAX_AGE", None)
    closed = []

    def close(self):
        closed.append(threading.current_thread())
        original(self)

    wrapper = type(connections["default"])
    original = wrapper.close
    monkeypatch.setattr(wrapper, "close", close)

    async with open_own(Tokens(token("a"), then=for_ever)) as stream:
        await stream.take(1)
        in_request = [
            thread for thread in closed if thread is not threading.main_thread()
        ]

    assert in_request


async def test_the_request_still_finishes(open_own):
    finished = []

    def receiver(**kwargs):
        finished.append(1)

    request_finished.connect(receiver)
    try:
        async with open_own(Tokens(token("a"))) as stream:
            await stream.rest()
    finally:
        request_finished.disconnect(receiver)

    assert finished == [1]


async def test_the_next_request_is_none_the_worse(open_own, open_stream):
    async with open_own(Tokens(token("a"), then=for_ever)) as stream:
        await stream.take(1)

        async with open_stream(path="/plain/") as plain:
            assert await plain.body() == b"plain"

    async with open_stream(path="/plain/") as plain:
        assert await plain.body() == b"plain"


async def test_a_stream_may_use_the_orm_after_its_request_is_given_back(open_own):
    async def count():
        found = await sync_to_async(get_user_model().objects.count)()
        return Event("count", {"users": found})

    async with open_own(Tokens(token("a"), then=count)) as stream:
        await stream.take(1)
        [event] = await stream.take(1, "count")

    assert event.data == {"users": 0}


@override_settings(MIDDLEWARE=[])
async def test_outside_a_server_there_is_nothing_to_give_back(async_client):
    own_stream.waiting.append(Tokens(token("a"), token("b")))

    response = await async_client.get("/own/")
    chunks = [chunk async for chunk in response]

    assert len(chunks) == 2
