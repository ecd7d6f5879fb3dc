"""Several processes announce at once: each row leaves, and leaves once."""

import random
import threading

import pytest
from django.db import connection, transaction

from notifications import outbox
from notifications.api import broadcast, notify
from notifications.models import Notification
from notifications.sweeper import Sweeper
from tests.factories import make_notification, make_users

from .scenarios import compare
from .threads import started

pytestmark = pytest.mark.django_db(transaction=True)

PRODUCERS = 4
SWEEPERS = 4
TRANSACTIONS = 20


class Process:
    """As much of another process's hub as its sweeper needs: somebody listens."""

    def __init__(self):
        self.sweeper = Sweeper(self)
        self.delivered = []

    def count(self):
        return 1

    def listen(self):
        """Nothing is heard: all it delivers, it has found in the table."""

    def reaches(self, recipient, audience):
        return True

    def deliver(self, message, *, swept):
        if "audience" in message:
            addressed = [(message["audience"], message["id"])]
        else:
            addressed = message["to"]
        for address, pk in addressed:
            if self.sweeper.remember((pk, message["at"], address)):
                self.delivered.append(pk)


def announced(messages):
    """Return the id in *messages* of each row for each of its addresses."""
    found = []
    for message in messages:
        if message["kind"] == "notifications":
            found += [pk for _, pk in message.get("to", ())]
            found += [message["id"]] if "audience" in message else []
    return found


def stored(**filters):
    return set(Notification.objects.filter(**filters).values_list("pk", flat=True))


def produce_and_sweep(sent, monkeypatch, caplog):
    """Four producers and four sweepers at once: each row is announced once."""
    # So small that what is due is more than one batch, and batches compete.
    monkeypatch.setattr(outbox, "BATCH_SIZE", 7)
    users = make_users(6)
    start = threading.Barrier(PRODUCERS + SWEEPERS)
    finished = threading.Event()
    processes = [Process() for _ in range(SWEEPERS // 2)]

    def produce(seed):
        chance = random.Random(seed)  # noqa: S311
        start.wait(10)
        for turn in range(TRANSACTIONS):
            with transaction.atomic():
                # Each in its own order: whoever locks in another one deadlocks.
                notify(chance.sample(users, len(users)), f"{seed} {turn}")
                if turn % 3 == 0:
                    broadcast(f"{seed} {turn} to all")
                if turn % 4 == 0:
                    connection.run_on_commit.clear()  # killed before the hook
                if turn % 7 == 0:
                    transaction.set_rollback(True)

    def keep(sweep):
        start.wait(10)
        while not finished.is_set():
            sweep()
        sweep()

    producers = [started(produce, seed) for seed in range(PRODUCERS)]
    sweepers = [started(keep, process.sweeper.sweep) for process in processes]
    sweepers += [
        started(keep, lambda: outbox.announce(Notification.objects.all()))
        for _ in range(SWEEPERS - len(processes))
    ]
    try:
        for producer in producers:
            producer.finish()
    finally:
        finished.set()
    for sweeper in sweepers:
        sweeper.finish()

    committed = stored()
    assert len(committed) == PRODUCERS * (17 * len(users) + 6)
    assert stored(announced_at=None) == set()
    compare(announced(sent), committed)
    for process in processes:
        process.sweeper.sweep()
        compare(process.delivered, committed)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def overtake(user, sent, monkeypatch):
    """Another process announces a row of the batch that this one is about to."""
    monkeypatch.setattr(outbox, "BATCH_SIZE", 2)
    rows = [make_notification(user, announced_at=None) for _ in range(5)]
    atomic = transaction.atomic

    def overtaken(**options):
        # Between looking for a batch and stamping it.
        monkeypatch.setattr(transaction, "atomic", atomic)
        one = Notification.objects.filter(pk=rows[0].pk)
        started(outbox.announce, one).finish()
        return atomic(**options)

    monkeypatch.setattr(transaction, "atomic", overtaken)

    outbox.announce(Notification.objects.all())

    compare(announced(sent), [row.pk for row in rows])


# Each on PostgreSQL, then on this cell's own database: SQLite, where nothing else
# is asked for, and where no row can be locked.


@pytest.mark.postgres
def test_four_producers_and_four_sweepers_on_postgres(sent, monkeypatch, caplog):
    produce_and_sweep(sent, monkeypatch, caplog)


def test_four_producers_and_four_sweepers(sent, monkeypatch, caplog):
    produce_and_sweep(sent, monkeypatch, caplog)


@pytest.mark.postgres
def test_a_batch_of_which_another_had_a_part_is_not_the_last_on_postgres(
    ada, sent, monkeypatch
):
    overtake(ada, sent, monkeypatch)


def test_a_batch_of_which_another_had_a_part_is_not_the_last(ada, sent, monkeypatch):
    overtake(ada, sent, monkeypatch)


@pytest.mark.postgres
def test_what_another_process_holds_does_not_delay_what_comes_behind(
    ada, sent, monkeypatch
):
    monkeypatch.setattr(outbox, "BATCH_SIZE", 2)
    held, *free = [make_notification(ada, announced_at=None) for _ in range(5)]
    taken, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(Notification.objects.select_for_update().filter(pk=held.pk))
            taken.set()
            assert done.wait(10)

    holder = started(hold)
    assert taken.wait(10)
    try:
        outbox.announce(Notification.objects.all())
    finally:
        done.set()
        holder.finish()

    compare(announced(sent), [row.pk for row in free])
    assert stored(announced_at=None) == {held.pk}
