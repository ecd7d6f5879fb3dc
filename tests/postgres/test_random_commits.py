"""
Writers and readers at random: nothing is lost, nothing is seen that never was.

Each run decides differently. ``TEST_SEED=<what a failure printed>`` repeats what
it decided; which thread comes first is the machine's business.
"""

import asyncio
import contextlib
import os
import random
import threading
from collections import Counter

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.db.models import Q

from notifications import clock
from notifications.api import broadcast, notify
from notifications.bus import bus
from notifications.events import Cursor
from notifications.models import Notification
from tests.factories import log_in
from tests.sse import ids, titles
from tests.waiting import aeventually

from .scenarios import compare, never_decreasing
from .threads import OpenTransaction, started

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

WRITERS = 6
TRANSACTIONS = 20
LONGEST_SECONDS = 0.4
# What the readers' last connection waits for; in the end it has all it needs.
SETTLE_SECONDS = 20

# What becomes of a transaction, and how often. ``killed`` is a process that dies
# between COMMIT and hook; ``unheard`` is announced, and the wire loses it.
FATES = {"committed": 6, "rolled back": 1, "killed": 1, "unheard": 1}
PHANTOM = "phantom"


class Writer:
    """Transactions one after another, each with a fate of its own."""

    def __init__(self, seed, ada, bob, unheard):
        self.fates = Counter()
        self._seed = seed
        self._chance = random.Random(seed)  # noqa: S311
        self._choices = [ada, bob, [ada, bob], "everyone"]
        self._unheard = unheard

    def run(self):
        for turn in range(TRANSACTIONS):
            [fate] = self._chance.choices(list(FATES), list(FATES.values()))
            self.fates[fate] += 1
            self._unheard.now = fate == "unheard"
            with transaction.atomic():
                self._transact(f"{self._seed} {turn}", fate)

    def _transact(self, title, fate):
        kept = PHANTOM if fate == "rolled back" else title
        self._write(kept)
        self._linger()
        if self._chance.random() < 0.3:
            with transaction.atomic():
                self._write(PHANTOM)
                transaction.set_rollback(True)
        self._linger()
        self._write(kept)
        if fate == "rolled back":
            transaction.set_rollback(True)
        if fate == "killed":
            connection.run_on_commit.clear()

    def _write(self, title):
        to = self._chance.choice(self._choices)
        if to == "everyone":
            broadcast(title)
        else:
            notify(to, title)

    def _linger(self):
        threading.Event().wait(self._chance.uniform(0, LONGEST_SECONDS / 2))


class NaiveReader:
    """Reads ``id > cursor`` again and again: the negative control."""

    def __init__(self):
        self.cursor = 0
        self.had = set()
        self._stop = threading.Event()
        self._thread = started(self._run)

    def _run(self):
        while not self._stop.wait(0.01):
            self._read()
        self._read()

    def _read(self):
        rows = Notification.objects.filter(pk__gt=self.cursor).order_by("pk")
        for pk in rows.values_list("pk", flat=True):
            self.had.add(pk)
            self.cursor = pk

    async def finish(self):
        """Have it read once more, and end."""
        self._stop.set()
        await self._thread.afinish()


class Reader:
    """A client that is cut at random and comes back with its cursor."""

    def __init__(self, seed, user, open_stream, cursor):
        self.user = user
        self.connections = []
        self._chance = random.Random(seed)  # noqa: S311
        self._open_stream = open_stream
        self._cookies = log_in(user)
        self._cursor = str(cursor)

    @property
    def events(self):
        return [event for events in self.connections for event in events]

    def _connect(self):
        return self._open_stream(cookies=self._cookies, last_event_id=self._cursor)

    async def read_until(self, finished):
        """Connect, read a little, be cut; again until *finished* says so."""
        while not finished():
            seconds = self._chance.uniform(0.01, 0.8)
            count = self._chance.randint(1, 200)
            async with self._connect() as stream:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await stream.take(count)
            self.connections.append(stream.events)
            self._cursor = stream.cursor or self._cursor

    async def settle(self, expected):
        """Connect and stay until each of *expected* has come, or time is up."""
        async with self._connect() as stream:
            self.connections.append(stream.events)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    while not expected <= set(ids(self.events)):
                        await stream.take(1)


@pytest.fixture
def unheard(monkeypatch):
    """Return a ``threading.local``: where its ``now`` is true, the wire loses all."""
    here = threading.local()
    send = bus.send

    def send_or_lose(kind, **content):
        return getattr(here, "now", False) or send(kind, **content)

    monkeypatch.setattr(bus, "send", send_or_lose)
    return here


def seed():
    # pytest-randomly seeds random, so its --randomly-seed repeats this too.
    seed = os.environ.get("TEST_SEED") or str(random.getrandbits(32))
    print(f"TEST_SEED={seed}")
    return seed


def pks(**filters):
    return set(Notification.objects.filter(**filters).values_list("pk", flat=True))


def meant_for(user):
    mine = Notification.objects.filter(Q(recipient=user) | Q(audience="everyone"))
    return set(mine.values_list("pk", flat=True))


async def at_once(coroutines):
    async with asyncio.TaskGroup() as tasks:
        for coroutine in coroutines:
            tasks.create_task(coroutine)


async def test_at_random_nothing_is_lost_and_nothing_is_a_phantom(
    ada, bob, open_stream, unheard, settings, caplog
):
    # Shorter than the slowest transaction, so that it is not the overlap that
    # makes up for it.
    settings.NOTIFICATIONS_OVERLAP_SECONDS = 3
    settings.NOTIFICATIONS_POLL_SECONDS = 0.5
    settings.NOTIFICATIONS_REPLAY_LIMIT = 1000
    run = seed()
    writers = [Writer(f"{run} {n}", ada, bob, unheard) for n in range(WRITERS)]

    def come_in():
        cursor = Cursor.at(clock.now())
        return [
            Reader(f"{run} reader {number}", user, open_stream, cursor)
            for number, user in enumerate([ada, ada, bob, bob])
        ]

    readers = await sync_to_async(come_in)()

    async with OpenTransaction(lambda: notify([ada, bob], "slowest")) as slowest:
        slowest_pks = {row.pk for row in slowest.value}
        naive = NaiveReader()
        threads = [started(writer.run) for writer in writers]

        def all_written():
            return not any(thread.is_alive() for thread in threads)

        await at_once(reader.read_until(all_written) for reader in readers)
        for thread in threads:
            thread.finish()
        await aeventually(lambda: naive.cursor > max(slowest_pks))
        await slowest.commit()
    await naive.finish()
    expected = {user: await sync_to_async(meant_for)(user) for user in (ada, bob)}
    await at_once(reader.settle(expected[reader.user]) for reader in readers)

    for reader in readers:
        compare(set(ids(reader.events)), expected[reader.user])
        assert PHANTOM not in titles(reader.events)
        for events in reader.connections:
            compare(ids(events), set(ids(events)))
        never_decreasing(reader.events)
    stored = await sync_to_async(pks)()
    assert await sync_to_async(pks)(announced_at=None) == set()
    assert await sync_to_async(pks)(title=PHANTOM) == set()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    # The control: by ids alone the same history is not read in full.
    assert slowest_pks <= stored - naive.had
    print(
        f"{len(stored)} rows, {sum((w.fates for w in writers), Counter())}; "
        f"connections: {[len(reader.connections) for reader in readers]}; "
        f"`id > cursor` lost {len(stored - naive.had)}"
    )
