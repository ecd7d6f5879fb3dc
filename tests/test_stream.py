"""One open response: how it begins, lives and ends."""

import pytest
from asgiref.sync import sync_to_async

from notifications import payloads
from notifications.api import anotify
from notifications.bus import bus
from notifications.events import Cursor
from notifications.hub import hub
from notifications.inbox import Inbox
from notifications.stream import next_retry_ms

from .sse import ids, names, titles
from .streams import MINUTE, now, until_marked
from .waiting import aeventually

pytestmark = pytest.mark.django_db(transaction=True)


# Hello


async def test_the_first_block_is_hello_and_carries_retry_id_event_and_data(
    ada, open_stream
):
    async with open_stream(ada) as stream:
        [hello] = await stream.take(1)

    assert hello.name == "hello"
    fields = [line.partition(":")[0] for line in hello.lines]
    assert sorted(fields) == ["data", "event", "id", "retry"]
    assert 500 <= stream.parser.retry_ms <= 4000
    assert hello.data["cursor"] == hello.id
    assert hello.data["heartbeat_ms"] == 15_000
    assert hello.data["version"] == 1
    assert set(hello.data) == {
        "cursor",
        "as_of",
        "audiences",
        "heartbeat_ms",
        "version",
    }


async def test_hello_leaves_with_the_first_bytes_and_the_state_follows(
    ada, open_stream
):
    async with open_stream(ada) as stream:
        events = await stream.until("state")

    assert names(events) == ["hello", "state"]


async def test_hello_names_where_a_client_without_a_cursor_starts(ada, open_stream):
    before = now()

    async with open_stream(ada) as stream:
        [hello] = await stream.take(1, "hello")

    assert before <= Cursor.parse(hello.id) <= now()


async def test_hello_names_the_clients_own_cursor_where_it_has_one(
    ada, missed, open_stream
):
    seen, _ = await sync_to_async(missed)("seen", "new")

    async with open_stream(ada, cursor=seen.cursor) as stream:
        [hello] = await stream.take(1, "hello")

    assert hello.id == str(seen.cursor)


async def test_hello_tells_when_the_audiences_of_the_user_are_others(
    staff, open_stream
):
    async with open_stream(staff) as stream:
        [before] = await stream.take(1, "hello")
    staff.is_staff = False
    await staff.asave()
    async with open_stream(staff) as stream:
        [after] = await stream.take(1, "hello")

    assert before.data["audiences"] != after.data["audiences"]


async def test_retry_differs_so_that_a_deploy_is_no_stampede(ada, open_stream):
    found = set()
    for _ in range(4):
        async with open_stream(ada) as stream:
            await stream.take(1)
        found.add(stream.parser.retry_ms)

    assert len(found) > 1


async def test_every_block_has_one_event_line_and_one_data_line_and_nothing_else(
    ada, missed, open_stream
):
    seen, *_ = await sync_to_async(missed)("seen", "one", "two")

    async with open_stream(ada, cursor=seen.cursor) as stream:
        await stream.until("state")

    assert b"\r" not in stream.raw
    assert not stream.raw.startswith(b"\xef\xbb\xbf")
    assert stream.parser.comments == []
    blocks = stream.raw.decode("ascii").removesuffix("\n\n").split("\n\n")
    for block in blocks:
        fields = [line.partition(": ")[0] for line in block.split("\n")]
        assert fields.count("event") == fields.count("data") == 1
        assert set(fields) <= {"retry", "id", "event", "data"}
    assert len(blocks) == len(stream.events)


# Heartbeat and end


async def test_pings_when_nothing_happens(ada, open_stream, settings):
    settings.NOTIFICATIONS_HEARTBEAT_SECONDS = 0.01

    async with open_stream(ada) as stream:
        await stream.until("state")
        received = await stream.take(3)

    assert names(received) == ["ping", "ping", "ping"]
    assert [event.id for event in received] == [None, None, None]
    assert received[0].data == {}


async def test_says_bye_at_the_end_of_its_life(ada, open_stream, settings):
    settings.NOTIFICATIONS_STREAM_SECONDS = 0.05

    async with open_stream(ada) as stream:
        events = await stream.rest()

    assert events[-1].name == "bye"
    assert events[-1].data == {"reason": "expired"}
    assert events[-1].id is None


async def test_one_stream_too_many_ends_the_oldest_of_that_user(
    ada, bob, open_stream, settings
):
    settings.NOTIFICATIONS_MAX_STREAMS_PER_USER = 2
    async with (
        open_stream(bob) as of_bob,
        open_stream(ada) as oldest,
        open_stream(ada) as older,
    ):
        for stream in (of_bob, oldest, older):
            await stream.until("state")

        async with open_stream(ada) as newest:
            await newest.until("state")
            events = await oldest.rest()

            assert names(events) == ["bye"]
            assert events[0].data == {"reason": "replaced"}
            await aeventually(lambda: hub.count() == 3)
            assert not older.complete
            assert not of_bob.complete


async def test_a_client_that_does_not_read_is_ended_and_resumes_without_loss(
    ada, open_stream, wire, settings
):
    settings.NOTIFICATIONS_QUEUE_SIZE = 3
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()
        stream.hold()
        for number in range(10):
            await anotify(ada, str(number))
        await aeventually(lambda: hub.live == 10)
        stream.release()
        first = await stream.rest()
    settings.NOTIFICATIONS_QUEUE_SIZE = 256
    async with open_stream(ada, last_event_id=stream.cursor) as stream:
        second = await stream.until("state")

    assert first[-1].name == "bye"
    assert first[-1].data == {"reason": "overflow"}
    assert set(titles(first) + titles(second)) == set("0123456789")


async def test_a_stream_that_sent_enough_ends_and_resumes_without_loss(
    ada, missed, open_stream, settings
):
    settings.NOTIFICATIONS_MAX_STREAM_BYTES = 70_000
    settings.NOTIFICATIONS_OVERLAP_SECONDS = 2
    seen, *rows = await sync_to_async(missed)(
        "seen", *map(str, range(30)), age=MINUTE, body="x" * 9000
    )
    cursor, had, lives = str(seen.cursor), [], 0

    while not had or had[-1].name != "state":
        async with open_stream(ada, last_event_id=cursor) as stream:
            had += await stream.until_end_or("state")
        assert len(stream.raw) < 70_000 + 80_000
        cursor = stream.cursor
        lives += 1
        assert lives < 20

    assert lives > 1
    assert set(ids(had)) >= {row.pk for row in rows}
    assert {event.data["reason"] for event in had if event.name == "bye"} == {"limit"}


async def test_a_live_stream_that_sent_enough_ends(ada, open_stream, wire, settings):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()
        settings.NOTIFICATIONS_MAX_STREAM_BYTES = 1000
        for number in range(5):
            await anotify(ada, str(number), body="x" * 500)
        events = await stream.rest()

    assert events[-1].name == "bye"
    assert events[-1].data == {"reason": "limit"}


# Never raises, never leaks


async def test_a_fault_at_the_start_ends_the_stream_quietly(
    ada, open_stream, monkeypatch, caplog
):
    def fail(*args, **kwargs):
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(Inbox, "replay", fail)

    async with open_stream(ada, cursor=now()) as stream:
        assert stream.status == 200
        assert await stream.rest() == []

    assert "the database is gone" in caplog.text
    assert hub.count() == 0


async def test_a_fault_in_the_replay_ends_the_stream_quietly(
    ada, missed, open_stream, monkeypatch, caplog
):
    seen, _ = await sync_to_async(missed)("seen", "new")

    def fail(*args, **kwargs):
        raise RuntimeError("not to be encoded")

    monkeypatch.setattr(payloads, "event", fail)

    async with open_stream(ada, cursor=seen.cursor) as stream:
        assert await stream.rest() == []

    assert "not to be encoded" in caplog.text
    assert hub.count() == 0


async def test_a_message_of_another_version_is_logged_and_ends_nothing(
    ada, open_stream, wire, caplog
):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        bus.send("notifications", surprise=1)
        bus.send("unheard of")
        found = await until_marked(ada, stream)

    assert found == ["mark"]
    assert "not understood" in caplog.text


async def test_leaving_before_the_first_byte_leaves_nothing_behind(ada, open_stream):
    async with open_stream(ada):
        pass

    assert hub.count() == 0


async def test_leaving_in_the_replay_leaves_nothing_behind(ada, missed, open_stream):
    seen, *_ = await sync_to_async(missed)("seen", "1", "2")

    async with open_stream(ada, cursor=seen.cursor) as stream:
        await stream.take(2)

    assert hub.count() == 0


async def test_leaving_while_idle_leaves_nothing_behind(ada, open_stream):
    async with open_stream(ada) as stream:
        await stream.until("state")
        assert hub.count() == 1

    assert hub.count() == 0


async def test_leaving_while_the_server_is_blocked_leaves_nothing_behind(
    ada, open_stream, wire
):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()
        stream.hold()
        await anotify(ada, "Hello")
        await aeventually(lambda: hub.live == 1)

        await stream.disconnect_blocked()

        assert hub.count() == 0


async def test_a_stream_that_ended_leaves_nothing_behind(ada, open_stream, settings):
    settings.NOTIFICATIONS_STREAM_SECONDS = 0.05

    async with open_stream(ada) as stream:
        await stream.rest()

    assert hub.count() == 0


def test_clients_that_lose_the_server_at_once_are_told_to_return_spread_evenly():
    told = sorted(next_retry_ms() for _ in range(50))

    assert told[0] >= 500
    assert told[-1] <= 4000
    in_one_second = [sum(start <= ms < start + 1000 for ms in told) for start in told]
    assert max(in_one_second) <= 0.33 * 50
