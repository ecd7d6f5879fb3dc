"""What a client that comes back is told: everything it missed, or to refetch."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from notifications import clock
from notifications.api import anotify, notify
from notifications.events import Cursor
from notifications.hub import hub
from notifications.inbox import Inbox

from .factories import make_notification
from .sse import ids, names, titles
from .streams import MINUTE, SECOND, in_thread, now, until_marked

pytestmark = pytest.mark.django_db(transaction=True)


# Replay


async def test_replays_what_was_missed_since_the_cursor_oldest_first_and_once(
    ada, missed, open_stream
):
    seen, *_ = await sync_to_async(missed)("seen", "one", "two", "three")

    async with open_stream(ada, cursor=seen.cursor) as stream:
        events = await stream.until("state")

    assert names(events) == ["hello", *["notification"] * 3, "state"]
    assert titles(events) == ["one", "two", "three"]


async def test_replays_nothing_to_a_client_without_a_cursor(ada, missed, open_stream):
    await sync_to_async(missed)("old")

    async with open_stream(ada) as stream:
        events = await stream.until("state")

    assert titles(events) == []
    assert events[-1].data["unread"] == 1


async def test_replays_broadcasts_and_what_hand_picked_users_are_told(
    ada, bob, open_stream
):
    cursor = now()

    def store():
        make_notification(ada, "personal")
        make_notification("everyone", "everyone")
        make_notification("users", "chosen").users.add(ada)
        make_notification("users", "not chosen").users.add(bob)
        make_notification(bob, "of bob")
        make_notification("staff", "staff")

    await sync_to_async(store)()

    async with open_stream(ada, cursor=cursor) as stream:
        events = await stream.until("state")

    assert titles(events) == ["personal", "everyone", "chosen"]


async def test_replays_neither_what_is_archived_nor_what_has_expired(
    ada, missed, open_stream
):
    seen, archived, expired, *_ = await sync_to_async(missed)(
        "seen", "archived", "expired", "there"
    )
    await sync_to_async(Inbox(ada).archive)([archived.pk])
    expired.expires_at = timezone.now() - SECOND
    await expired.asave()

    async with open_stream(ada, cursor=seen.cursor) as stream:
        events = await stream.until("state")

    assert titles(events) == ["there"]
    [removed] = [event for event in events if event.name == "removed"]
    assert removed.data == {"ids": [expired.pk]}


async def test_the_id_of_a_notification_is_its_cursor(ada, missed, open_stream):
    seen, new = await sync_to_async(missed)("seen", "new")

    async with open_stream(ada, cursor=seen.cursor) as stream:
        [event] = await stream.take(1, "notification")

    assert event.id == str(new.cursor)
    assert (event.data["id"], event.data["at"]) == (new.pk, new.cursor.microseconds)


async def test_what_became_visible_late_though_stamped_early_is_replayed(
    ada, missed, open_stream
):
    [seen] = await sync_to_async(missed)("seen", age=5 * SECOND)
    await sync_to_async(missed)("late", age=8 * SECOND)

    async with open_stream(ada, cursor=seen.cursor) as stream:
        events = await stream.until("state")

    assert titles(events) == ["late"]


async def test_the_id_never_decreases_so_that_a_cut_client_does_not_drift_back(
    ada, missed, open_stream
):
    [seen] = await sync_to_async(missed)("seen", age=5 * SECOND)
    await sync_to_async(missed)("late", "later", age=20 * SECOND)

    async with open_stream(ada, cursor=seen.cursor) as stream:
        events = await stream.until("state")

    found = [Cursor.parse(event.id) for event in events if event.id]
    assert len(found) == 3
    assert found == sorted(found)
    assert found[0] == seen.cursor


@pytest.mark.parametrize("count", [1, 2, 3, 7])
async def test_cut_after_every_so_many_blocks_and_resumed_it_loses_nothing(
    count, ada, missed, open_stream
):
    seen, *rows = await sync_to_async(missed)(
        "seen", *map(str, range(20)), age=100 * SECOND
    )
    cursor, had = str(seen.cursor), []

    for _ in range(200):
        async with open_stream(ada, last_event_id=cursor) as stream:
            # Hello, the rows of the overlap, and a few that are new.
            while True:
                [event] = await stream.take(1)
                had.append(event)
                new = {e.id for e in stream.events if e.id} - {cursor}
                if len(new) >= count or event.name == "state":
                    break
        assert Cursor.parse(stream.cursor) >= Cursor.parse(cursor)
        cursor = stream.cursor
        if event.name == "state":
            break

    assert event.name == "state"
    first_seen = [pk for pk in dict.fromkeys(ids(had)) if pk != seen.pk]
    assert first_seen == [row.pk for row in rows]


async def test_cut_after_each_single_block_of_a_replay_it_loses_nothing(
    ada, missed, open_stream
):
    seen, *rows = await sync_to_async(missed)("seen", *map(str, range(12)), age=MINUTE)

    for cut in range(1, 14):
        async with open_stream(ada, cursor=seen.cursor) as stream:
            first = await stream.take(cut)
        async with open_stream(ada, last_event_id=stream.cursor) as stream:
            second = await stream.until("state")
        had = {*ids(first), *ids(second)} - {seen.pk}
        assert sorted(had) == [row.pk for row in rows], cut


async def test_resumes_after_rows_that_were_stamped_together(ada, open_stream):
    moment = timezone.now() - 10 * SECOND

    def store():
        fields = {"announced_at": moment, "publish_at": moment}
        return [make_notification(ada, str(number), **fields) for number in range(5)]

    rows = await sync_to_async(store)()

    async with open_stream(ada, cursor=rows[2].cursor) as stream:
        events = await stream.until("state")

    assert {"3", "4"} <= set(titles(events))


async def test_a_client_gets_on_though_the_overlap_alone_is_over_the_byte_limit(
    ada, missed, open_stream, settings
):
    settings.NOTIFICATIONS_MAX_STREAM_BYTES = 70_000
    *_, seen, new = await sync_to_async(missed)(
        *map(str, range(20)), age=40 * SECOND, body="x" * 9000
    )
    cursor, had = str(seen.cursor), []

    for _ in range(10):
        async with open_stream(ada, last_event_id=cursor) as stream:
            had += await stream.until_end_or("state")
        cursor = stream.cursor

    assert new.pk in ids(had)


async def test_who_has_it_all_is_not_ended_for_the_bytes_of_the_overlap(
    ada, missed, open_stream, settings
):
    settings.NOTIFICATIONS_MAX_STREAM_BYTES = 70_000
    *_, last = await sync_to_async(missed)(
        *map(str, range(20)), age=40 * SECOND, body="x" * 9000
    )

    async with open_stream(ada, cursor=last.cursor) as stream:
        await stream.until("state")
        found = await until_marked(ada, stream)

    assert found[-1] == "mark"


# The gaps


async def test_what_commits_before_the_view_arrives_once(ada, open_stream, wire):
    cursor = now()
    await anotify(ada, "in the gap")

    async with open_stream(ada, cursor=cursor) as stream:
        await wire()
        found = await until_marked(ada, stream)

    assert found == ["in the gap", "mark"]


async def test_what_commits_after_register_and_before_replay_arrives_once(
    ada, open_stream, wire, monkeypatch
):
    cursor = now()
    register = hub.register

    def register_and_commit(stream):
        register(stream)
        in_thread(lambda: notify(ada, "in the gap"))

    async with open_stream(ada) as first:
        await first.until("state")
        await wire()
        monkeypatch.setattr(hub, "register", register_and_commit)
        async with open_stream(ada, cursor=cursor) as stream:
            await stream.until("state")
            monkeypatch.undo()
            found = await until_marked(ada, stream)

    assert found == ["in the gap", "mark"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_commits_around_the_replays_query_arrives_once(
    when, ada, open_stream, wire, monkeypatch
):
    cursor = now()
    replay = Inbox.replay

    def replay_and_commit(self, *args):
        monkeypatch.undo()
        if when == "before":
            in_thread(lambda: notify(ada, "in the gap"))
        found = replay(self, *args)
        if when == "after":
            in_thread(lambda: notify(ada, "in the gap"))
        return found

    async with open_stream(ada) as first:
        await first.until("state")
        await wire()
        monkeypatch.setattr(Inbox, "replay", replay_and_commit)
        async with open_stream(ada, cursor=cursor) as stream:
            await stream.until("state")
            found = await until_marked(ada, stream)

    assert found == ["in the gap", "mark"]


async def test_what_commits_after_the_replay_arrives_once(ada, open_stream, wire):
    async with open_stream(ada, cursor=now()) as stream:
        await stream.until("state")
        await wire()
        await anotify(ada, "live")
        found = await until_marked(ada, stream)

    assert found == ["live", "mark"]


async def test_what_the_wire_lost_before_the_replay_arrives_once(
    ada, open_stream, wire, monkeypatch
):
    cursor = now()
    async with open_stream(ada) as first:
        await first.until("state")
        await wire()
        with monkeypatch.context() as patch:
            patch.setattr("notifications.bus.bus.send", lambda kind, **content: True)
            await anotify(ada, "lost")

        async with open_stream(ada, cursor=cursor) as stream:
            found = await until_marked(ada, stream)

    assert found == ["lost", "mark"]


# Reset


@pytest.mark.parametrize(
    "cursor",
    ["", "abc", "1", "-", "1-", "-1-1", "1-1-1", "\u0661-1", "1-1\u2028",
     "9" * 40 + "-1", "1-" + "9" * 40, "\x00", "1e3-1", "x" * 4000],
)  # fmt: skip
async def test_a_malformed_cursor_is_one_reset_and_no_error(
    cursor, ada, missed, open_stream
):
    await sync_to_async(missed)("old")

    async with open_stream(ada, cursor=cursor) as stream:
        assert stream.status == 200
        events = await stream.until("state")

    expected = ["hello", "reset", "state"] if cursor else ["hello", "state"]
    assert names(events) == expected


async def test_a_malformed_last_event_id_is_one_reset(ada, open_stream):
    async with open_stream(ada, last_event_id="nonsense") as stream:
        events = await stream.until("state")

    assert names(events) == ["hello", "reset", "state"]
    assert events[1].data == {"reason": "malformed"}


async def test_after_a_reset_the_client_resumes_at_the_head(ada, missed, open_stream):
    await sync_to_async(missed)("old")
    before = now()

    async with open_stream(ada, last_event_id="nonsense") as stream:
        events = await stream.until("state")

    assert before <= Cursor.parse(stream.cursor) <= now()
    assert events[1].id == stream.cursor


@pytest.mark.parametrize(
    ("shift", "reason"),
    [(6 * SECOND, "future"), (-91 * timedelta(days=1), "expired")],
)
async def test_a_cursor_nobody_can_answer_for_is_one_reset(
    shift, reason, ada, open_stream, monkeypatch
):
    # The clock stands still: a second later, the first would be a little ahead only.
    moment = timezone.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    cursor = Cursor.at(moment + shift)

    async with open_stream(ada, cursor=cursor) as stream:
        events = await stream.until("state")

    assert names(events) == ["hello", "reset", "state"]
    assert events[1].data == {"reason": reason}
    assert Cursor.parse(stream.cursor) <= now()


async def test_a_cursor_a_little_ahead_is_taken(ada, open_stream):
    async with open_stream(
        ada, cursor=Cursor.at(timezone.now() + 2 * SECOND)
    ) as stream:
        events = await stream.until("state")

    assert names(events) == ["hello", "state"]


async def test_too_much_to_replay_is_one_reset(ada, missed, open_stream, settings):
    settings.NOTIFICATIONS_REPLAY_LIMIT = 3
    seen, *_ = await sync_to_async(missed)("seen", "1", "2", "3", "4")

    async with open_stream(ada, cursor=seen.cursor) as stream:
        events = await stream.until("state")

    assert names(events) == ["hello", "reset", "state"]
    assert events[1].data == {"reason": "behind"}


async def test_as_much_as_the_limit_is_replayed(ada, missed, open_stream, settings):
    settings.NOTIFICATIONS_REPLAY_LIMIT = 3
    seen, *_ = await sync_to_async(missed)("seen", "1", "2", "3")

    async with open_stream(ada, cursor=seen.cursor) as stream:
        events = await stream.until("state")

    assert titles(events) == ["1", "2", "3"]


async def test_what_was_already_had_does_not_count_towards_the_limit(
    ada, missed, open_stream, settings
):
    settings.NOTIFICATIONS_REPLAY_LIMIT = 3
    rows = await sync_to_async(missed)(*"1234567", age=20 * SECOND)

    async with open_stream(ada, cursor=rows[3].cursor) as stream:
        events = await stream.until("state")

    assert "reset" not in names(events)
    assert titles(events) == list("123567")


async def test_the_header_wins_over_the_query(ada, missed, open_stream):
    first, second, _ = await sync_to_async(missed)("1", "2", "3")

    async with open_stream(
        ada, cursor=first.cursor, last_event_id=second.cursor
    ) as stream:
        [hello] = await stream.take(1, "hello")

    assert hello.id == str(second.cursor)
