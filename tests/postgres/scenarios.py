"""
What must hold while transactions overlap, as functions that raise if it does not.

The tests call them on the app as it is, and on mutants of it, which must fail.
Each returns nothing; what it raises says ``lost``, ``phantom`` or ``repeated``.
"""

import threading
from collections import Counter
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from notifications import clock, outbox
from notifications.api import anotify, notify
from notifications.events import Cursor
from notifications.hub import hub
from notifications.inbox import Inbox
from notifications.models import Notification
from tests.factories import make_notification
from tests.sse import titles
from tests.waiting import eventually

from .threads import OpenTransaction, started

SECOND = timedelta(seconds=1)


def compare(found, expected):
    """Raise unless *found* has each of *expected* once, and nothing else."""
    counted = Counter(found)
    lost = [one for one in expected if one not in counted]
    assert not lost, f"lost: {lost}"
    phantoms = sorted(counted.keys() - set(expected))
    assert not phantoms, f"phantom: {phantoms}"
    repeated = [one for one, times in counted.items() if times > 1]
    assert not repeated, f"repeated: {repeated}"


def never_decreasing(events):
    """Raise if an ``id:`` among *events* is smaller than one before it."""
    found = [Cursor.parse(event.id) for event in events if event.id]
    assert found == sorted(found), f"backwards: {list(map(str, found))}"


async def up_to_a_mark(user, stream):
    """Return the titles of all that *stream* had before a row that is sent now."""
    await anotify(user, "mark")
    while "mark" not in titles(stream.events):
        await stream.take(1, "notification")
    return [title for title in titles(stream.events) if title != "mark"]


async def commits_late_while_nobody_listens(user, open_stream, wire):
    """
    A smaller id commits after a larger one was read: who resumes there gets it.

    A inserts. B inserts, commits, is announced; the reader advances to B and
    resumes. A commits. The reader resumes.
    """
    async with OpenTransaction(lambda: notify(user, "A")) as slow:
        async with open_stream(user) as stream:
            await stream.until("state")
            await wire()
            [b] = await anotify(user, "B")
            compare(titles(await stream.take(1, "notification")), ["B"])
        cursor = stream.cursor
        assert slow.value[0].pk < b.pk
        assert cursor == str((await Notification.objects.aget(pk=b.pk)).cursor)
        async with open_stream(user, last_event_id=cursor) as stream:
            compare(titles(await stream.until("state")), [])
        assert stream.cursor == cursor

        await slow.commit()

    async with open_stream(user, last_event_id=cursor) as stream:
        events = await stream.until("state")
        compare(titles(events), ["A"])
        compare(await up_to_a_mark(user, stream), ["A"])
    never_decreasing(stream.events)
    async with open_stream(user, last_event_id=stream.cursor) as stream:
        replayed = titles(await stream.until("state"))
        assert "mark" not in replayed, "repeated: mark"


async def commits_late_while_somebody_listens(user, open_stream, wire):
    """A smaller id commits after a larger one was read: it arrives live."""
    async with (
        OpenTransaction(lambda: notify(user, "A")) as slow,
        open_stream(user) as stream,
    ):
        await stream.until("state")
        await wire()
        await anotify(user, "B")
        await stream.take(1, "notification")

        await slow.commit()

        compare(await up_to_a_mark(user, stream), ["B", "A"])
    never_decreasing(stream.events)


async def rolls_back_while_somebody_listens(user, open_stream, wire):
    """What is rolled back, whole or to a savepoint, is never seen."""

    def write():
        notify(user, "kept")
        with transaction.atomic():
            notify(user, "savepoint")
            transaction.set_rollback(True)

    async with open_stream(user) as stream:
        await stream.until("state")
        await wire()

        async with OpenTransaction(lambda: notify(user, "rolled back")):
            pass
        async with OpenTransaction(write) as slow:
            await slow.commit()

        compare(await up_to_a_mark(user, stream), ["kept"])


async def commits_during_the_replay(user, open_stream, wire):
    """
    What commits while a stream reads its replay arrives in that stream too.

    Another stream of the same user has it already, so no sweep brings it again.
    """
    replay = Inbox.replay

    def commit():
        before = hub.live
        started(notify, user, "in the gap").finish()
        # Only then is it too late for who has not registered.
        eventually(lambda: hub.live > before)

    def replay_and_commit(self, *arguments):
        Inbox.replay = replay
        found = replay(self, *arguments)
        commit()
        return found

    async with open_stream(user) as first:
        await first.until("state")
        await wire()
        cursor = await sync_to_async(lambda: Cursor.at(clock.now()))()
        Inbox.replay = replay_and_commit
        try:
            async with open_stream(user, cursor=cursor) as stream:
                await stream.until("state")
                compare(await up_to_a_mark(user, stream), ["in the gap"])
        finally:
            Inbox.replay = replay


async def is_cut_in_mid_replay(user, open_stream, wire):
    """Cut after any block of a replay, a client resumes and has missed nothing."""
    expected = [str(number) for number in range(8)]

    def store():
        # Older than the overlap, which would make up for a wrong cursor.
        made = [
            make_notification(user, title, age=(1000 - 100 * number) * SECOND)
            for number, title in enumerate(["seen", *expected])
        ]
        return made[0].cursor

    cursor = await sync_to_async(store)()

    for cut in range(1, len(expected) + 2):
        async with open_stream(user, cursor=cursor) as stream:
            first = await stream.take(cut)
        async with open_stream(user, last_event_id=stream.cursor) as stream:
            second = await stream.until("state")
        compare(titles(first) + titles(second), expected)


async def is_cut_again_and_again(user, open_stream, wire):
    """
    A client that is always cut amid the overlap's rows does not drift back.

    However often it comes back, it is sent nothing from before the overlap.
    """

    def store():
        made = [
            make_notification(user, f"{age} s", age=age * SECOND)
            for age in (330, 280, 230, 180, 130, 80)
        ]
        return made[-2].cursor

    cursor, had = str(await sync_to_async(store)()), []

    for _ in range(4):
        async with open_stream(user, last_event_id=cursor) as stream:
            had += await stream.until("notification")
        cursor = stream.cursor
    async with open_stream(user, last_event_id=cursor) as stream:
        had += await stream.until("state")

    compare(set(titles(had)), ["180 s", "80 s"])
    never_decreasing(had)


async def is_announced_by_two_at_once(user, open_stream, wire):
    """Two processes announce one row at the same time: one of them sends it."""
    looked, go_on = threading.Event(), threading.Event()
    totals, now = [], clock.now

    def stop_while_stamping():
        # The second reading of the clock, between taking the rows and stamping.
        if connection.in_atomic_block and threading.current_thread() is first:
            looked.set()
            assert go_on.wait(10)
        return now()

    def announce():
        totals.append(outbox.announce(Notification.objects.all()))

    def both():
        nonlocal first
        moment = timezone.now()
        make_notification(user, announced_at=None, publish_at=moment)
        clock.now = stop_while_stamping
        try:
            first = started(announce)
            assert looked.wait(10)
            started(announce).finish()
            go_on.set()
            first.finish()
        finally:
            clock.now = now

    first = None
    await sync_to_async(both)()

    assert sum(totals) > 0, "lost"
    assert sum(totals) == 1, f"repeated: {totals}"
