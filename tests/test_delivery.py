"""What reaches open streams: state and notifications, by wire and by sweep."""

from datetime import timedelta
from unittest.mock import Mock

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from notifications import broadcasts
from notifications.api import abroadcast, anotify, asend_event
from notifications.events import Cursor
from notifications.hub import hub
from notifications.inbox import Inbox
from notifications.models import Notification
from notifications.outbox import announce
from notifications.sweeper import Sweeper

from .factories import has_field, make_notification, make_user
from .sse import names, titles
from .streams import MINUTE, until_marked
from .waiting import aeventually

pytestmark = pytest.mark.django_db(transaction=True)


# State


async def test_the_state_comes_after_the_replay_and_is_true(ada, missed, open_stream):
    seen, read, archived, unread = await sync_to_async(missed)(
        "seen", "read", "archived", "unread"
    )
    await sync_to_async(Inbox(ada).mark_read)([read.pk, seen.pk])
    await sync_to_async(Inbox(ada).archive)([archived.pk])

    async with open_stream(ada, cursor=seen.cursor) as stream:
        [state] = await stream.take(1, "state")

    assert state.id is None
    assert (state.data["unread"], state.data["unseen"]) == (1, 1)
    assert read.pk in state.data["read"]
    assert unread.pk in state.data["unread_ids"]


@pytest.mark.parametrize(
    ("action", "name"),
    [("mark_read", "read"), ("archive", "archived"), ("mark_unread", "unread_ids")],
)
async def test_what_is_done_elsewhere_reaches_every_open_page(
    action, name, ada, missed, open_stream, wire
):
    [row] = await sync_to_async(missed)("Hello")
    if action == "mark_unread":
        await sync_to_async(Inbox(ada).mark_read)([row.pk])
    async with open_stream(ada) as first, open_stream(ada) as second:
        await first.until("state")
        await second.until("state")
        await wire()

        await sync_to_async(getattr(Inbox(ada), action))([row.pk])

        for stream in (first, second):
            [state] = await stream.take(1, "state")
            assert state.data[name] == [row.pk]
            assert state.data["unread"] == (1 if action == "mark_unread" else 0)


async def test_what_a_user_does_is_told_to_nobody_else(
    ada, bob, missed, open_stream, wire
):
    [row] = await sync_to_async(missed)("Hello")
    async with open_stream(bob) as stream:
        await stream.until("state")
        await wire()

        await sync_to_async(Inbox(ada).mark_read)([row.pk])
        await anotify(bob, "mark")
        events = await stream.until("notification")

    assert names(events) == ["notification"]


def test_what_has_expired_for_nobody_here_is_not_loaded(ada, monkeypatch):
    over = timezone.now() - timedelta(seconds=1)
    rows = [make_notification(ada, expires_at=over) for _ in range(3)]
    loaded = Mock(side_effect=Notification.from_db)
    monkeypatch.setattr(Notification, "from_db", loaded)
    elsewhere = Mock(**{"count.return_value": 1, "reaches.return_value": False})

    Sweeper(elsewhere).sweep()

    assert loaded.call_count == 0
    assert not elsewhere.remove.called
    elsewhere.reaches.return_value = True
    Sweeper(elsewhere).sweep()
    assert [call.args[0] for call in elsewhere.remove.call_args_list] == [
        row.pk for row in rows
    ]


async def test_what_expires_is_removed_from_open_pages(ada, open_stream, wire):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        [row] = await anotify(
            ada, "Short", expires_at=timezone.now() + timedelta(seconds=0.3)
        )
        events = await stream.until("removed")

    assert names(events) == ["notification", "removed"]
    assert events[-1].data == {"ids": [row.pk]}
    assert events[-1].id is None


async def test_what_is_scheduled_arrives_when_it_is_due(ada, open_stream, wire):
    due = timezone.now() + timedelta(seconds=0.4)
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        await anotify(ada, "Later", publish_at=due)
        events = await stream.until("notification")

    assert titles(events) == ["Later"]
    assert Cursor.parse(events[-1].id).moment >= due


# Live


async def test_what_is_for_somebody_else_is_not_sent(ada, bob, open_stream, wire):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        await anotify(bob, "For bob")
        found = await until_marked(ada, stream)

    assert found == ["mark"]


async def test_every_open_stream_of_the_recipient_has_it(ada, open_stream, wire):
    async with open_stream(ada) as first, open_stream(ada) as second:
        await first.until("state")
        await second.until("state")
        await wire()

        await anotify(ada, "Hello")

        assert titles(await first.take(1, "notification")) == ["Hello"]
        assert titles(await second.take(1, "notification")) == ["Hello"]


async def test_what_is_announced_again_arrives_again_as_a_replacement(
    ada, open_stream, wire
):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()
        [row] = await anotify(ada, "Tpyo")
        [first] = await stream.take(1, "notification")

        def correct():
            Notification.objects.update(title="Typo", announced_at=None)
            announce(Notification.objects.all())

        await sync_to_async(correct)()
        [second] = await stream.take(1, "notification")

    assert (first.data["id"], second.data["id"]) == (row.pk, row.pk)
    assert second.data["title"] == "Typo"
    assert first.data["at"] < second.data["at"]


@pytest.mark.skipif(
    not has_field("date_joined"), reason="Nobody knows who joined when."
)
async def test_a_correction_is_for_who_had_joined_when_it_was_sent(
    ada, open_stream, wire
):
    row = await sync_to_async(make_notification)("everyone", "Typo", age=MINUTE)
    banner = await sync_to_async(make_notification)(
        "everyone", "Banner", age=MINUTE, placement="banner"
    )
    joined = row.publish_at - MINUTE
    early = await sync_to_async(make_user)("early", date_joined=joined)
    async with open_stream(early) as theirs, open_stream(ada) as late:
        await theirs.until("state")
        await late.until("state")
        await wire()

        for each in (row, banner):
            await sync_to_async(broadcasts.correct)(each, title="Corrected")

        assert (await until_marked(early, theirs)).count("Corrected") == 2
        assert (await until_marked(ada, late)).count("Corrected") == 1


async def test_without_a_wire_it_arrives_by_the_sweep(ada, open_stream, settings):
    settings.CHANNEL_LAYERS = {}
    settings.NOTIFICATIONS_POLL_SECONDS = 0.1
    async with open_stream(ada) as stream:
        await stream.until("state")

        await anotify(ada, "Hello")
        events = await stream.take(1, "notification")

    assert titles(events) == ["Hello"]
    assert (hub.live, hub.swept) == (0, 1)


async def test_with_a_wire_nothing_arrives_by_the_sweep(
    ada, open_stream, wire, settings
):
    settings.NOTIFICATIONS_POLL_SECONDS = 0.05
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        for number in range(20):
            await anotify(ada, str(number))
        events = await stream.take(20, "notification")

    assert titles(events) == [str(number) for number in range(20)]
    assert (hub.live, hub.swept) == (20, 0)


async def test_what_the_wire_loses_the_sweep_delivers(
    ada, open_stream, wire, settings, monkeypatch
):
    settings.NOTIFICATIONS_POLL_SECONDS = 0.1
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()
        with monkeypatch.context() as patch:
            patch.setattr("notifications.bus.bus.send", lambda kind, **content: True)
            await anotify(ada, "lost by the wire")
        events = await stream.take(1, "notification")

    assert titles(events) == ["lost by the wire"]
    assert hub.swept == 1


async def test_what_a_stream_has_from_the_replay_does_not_fill_its_queue(
    ada, open_stream, wire, settings
):
    settings.NOTIFICATIONS_POLL_SECONDS = 0.1
    settings.NOTIFICATIONS_QUEUE_SIZE = 3
    for number in range(10):
        age = timedelta(seconds=20 - number)
        row = await sync_to_async(make_notification)(ada, str(number), age=age)
    long_ago = Cursor.at(row.announced_at - timedelta(minutes=1))
    async with open_stream(ada, cursor=str(long_ago)) as stream:
        await stream.until("state")
        await wire()
        found = await until_marked(ada, stream)

    assert found == [*map(str, range(10)), "mark"]


async def test_what_has_expired_is_not_delivered_by_a_sweep(
    ada, open_stream, wire, settings
):
    settings.NOTIFICATIONS_POLL_SECONDS = 0.1
    over = {"expires_at": timezone.now(), "age": timedelta(seconds=5)}
    await sync_to_async(make_notification)(ada, "Over", **over)
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()
        await sync_to_async(make_notification)(ada, "Swept", age=timedelta(seconds=5))
        events = await stream.until("notification")

    assert titles(events) == ["Swept"]


async def test_a_producer_that_died_before_its_hook_is_made_good_by_the_sweep(
    ada, open_stream, settings
):
    settings.NOTIFICATIONS_POLL_SECONDS = 0.1
    async with open_stream(ada) as stream:
        await stream.until("state")

        await sync_to_async(make_notification)(ada, "orphan", announced_at=None)
        events = await stream.take(1, "notification")

    assert titles(events) == ["orphan"]


async def test_an_ephemeral_event_carries_no_id_and_does_not_move_the_cursor(
    ada, open_stream, wire
):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()
        cursor = stream.cursor

        await asend_event(ada, "progress", {"value": 40})
        [event] = await stream.take(1)

    assert (event.name, event.data) == ("progress", {"value": 40})
    assert event.id is None
    assert stream.cursor == cursor


# Numbers


async def test_live_deliveries_of_a_broadcast_are_counted_and_staff_hear_of_it(
    ada, staff, open_stream, wire
):
    async with open_stream(ada) as first, open_stream(staff) as second:
        for stream in (first, second):
            await stream.until("state")
        await wire()

        row = await abroadcast("Maintenance at 8")

        await second.until("numbers")
        await until_counted(row, 2)
        # Nobody else is to know that there is something to know.
        await anotify(ada, "The last one")
        received = await first.take(2, "notification")
    assert titles(received) == ["Maintenance at 8", "The last one"]
    assert "numbers" not in names(first.events)


async def test_staff_hear_of_what_was_read_elsewhere(ada, staff, open_stream, wire):
    row = await abroadcast("Maintenance at 8")
    async with open_stream(staff) as watching, open_stream(ada) as other:
        for stream in (watching, other):
            await stream.until("state")
        await wire()

        await sync_to_async(Inbox(ada).mark_read)([row.pk])

        await watching.until("numbers")


async def test_a_test_is_counted_nowhere(ada, open_stream, wire):
    draft = await sync_to_async(make_notification)(
        "everyone", "Draft", publish_at=None, announced_at=None
    )
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        test = await sync_to_async(broadcasts.send_test)(draft, ada)
        real = await abroadcast("Real", audience="users", users=[ada])

        assert titles(await stream.take(2, "notification")) == ["Test: Draft", "Real"]
        await until_counted(real, 1)
    await test.arefresh_from_db()
    assert test.delivered_count == 0


async def test_who_came_later_did_not_have_it_live(ada, bob, open_stream, settings):
    settings.CHANNEL_LAYERS = {}
    settings.NOTIFICATIONS_POLL_SECONDS = 0.1
    row = await abroadcast("Sent while nobody was there")
    async with open_stream(ada, cursor=row.cursor) as stream, open_stream(bob) as other:
        await stream.until("state")
        await other.until("state")

        later = await abroadcast("Sent while two were")
        await until_counted(later, 2)

    await row.arefresh_from_db()
    assert row.delivered_count == 0


async def until_counted(row, count):
    """Wait until *row* says that so many streams had it live."""

    async def is_counted():
        await row.arefresh_from_db()
        return row.delivered_count == count

    await aeventually(is_counted, within=10)
