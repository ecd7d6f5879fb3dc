import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifications import outbox
from notifications.models import Notification
from notifications.signals import notification_announced

from .factories import make_notification, make_users

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


def written(to, title="Hello", **fields):
    """A row that a transaction has written and nobody has announced."""
    return make_notification(to, title, announced_at=None, **fields)


def pairs(messages):
    """Return the ``(recipient, id)`` pairs that *messages* carry."""
    return [tuple(pair) for message in messages for pair in message.get("to", ())]


def waiting():
    return set(
        Notification.objects.filter(announced_at=None).values_list("pk", flat=True)
    )


def test_a_row_is_announced_after_commit_and_not_before(ada, sent):
    with transaction.atomic():
        row = written(ada)
        outbox.announce_on_commit([row])
        assert sent == []

    assert pairs(sent) == [(str(ada.pk), row.pk)]
    row.refresh_from_db()
    assert row.announced_at is not None


def test_outside_a_transaction_a_row_is_announced_at_once(ada, sent):
    row = written(ada)

    outbox.announce_on_commit([row])

    assert pairs(sent) == [(str(ada.pk), row.pk)]


def test_a_rolled_back_row_is_never_announced(ada, sent):
    with transaction.atomic():
        outbox.announce_on_commit([written(ada)])
        transaction.set_rollback(True)

    assert sent == []
    assert not Notification.objects.exists()


def test_a_rolled_back_savepoint_takes_its_own_row_along_and_no_other(ada, sent):
    with transaction.atomic():
        kept = written(ada, "kept")
        outbox.announce_on_commit([kept])
        with transaction.atomic():
            outbox.announce_on_commit([written(ada, "lost")])
            transaction.set_rollback(True)
        also_kept = written(ada, "also kept")
        outbox.announce_on_commit([also_kept])

    assert pairs(sent) == [(str(ada.pk), kept.pk), (str(ada.pk), also_kept.pk)]
    assert waiting() == set()


def test_an_error_in_the_hook_is_logged_and_neither_raised_nor_fatal(
    ada, sent, monkeypatch, caplog
):
    def refuse(kind, **content):
        raise ConnectionError("the wire is down")

    later = []
    monkeypatch.setattr(outbox.bus, "send", refuse)

    with transaction.atomic():
        row = written(ada)
        outbox.announce_on_commit([row])
        transaction.on_commit(lambda: later.append("ran"))

    assert later == ["ran"]
    assert Notification.objects.get() == row
    assert "the wire is down" in caplog.text


def test_what_is_announced_is_announced_once(ada, sent):
    written(ada)

    assert outbox.announce(Notification.objects.all()) == 1
    assert outbox.announce(Notification.objects.all()) == 0

    assert len(pairs(sent)) == 1


def test_neither_a_draft_nor_what_is_not_due_is_announced(ada, sent):
    draft = written(ada, publish_at=None)
    scheduled = written("everyone", publish_at=timezone.now() + MINUTE)

    outbox.announce(Notification.objects.all())

    assert sent == []
    assert waiting() == {draft.pk, scheduled.pk}


def test_the_orphans_of_a_process_that_died_are_announced_by_whoever_looks(ada, sent):
    orphan = written(ada, age=MINUTE)

    outbox.announce(Notification.objects.all())

    assert pairs(sent) == [(str(ada.pk), orphan.pk)]


def test_the_stamp_is_the_time_of_the_announcement_not_of_the_row(ada, sent):
    row = written(ada, age=60 * MINUTE)
    before = timezone.now()

    outbox.announce(Notification.objects.all())

    row.refresh_from_db()
    assert before - timedelta(seconds=1) < row.announced_at < timezone.now() + MINUTE
    assert sent[0]["at"] == row.cursor.microseconds


def test_what_no_stream_is_given_does_not_travel(ada, sent):
    written(ada, body="x" * 1_000_000, data={"order": 17})

    outbox.announce(Notification.objects.all())

    [message] = sent
    assert len(json.dumps(message)) < 2_000
    assert message["data"]["truncated"] is True


def test_equal_content_travels_once_however_many_it_is_for(sent):
    users = make_users(3)
    moment = timezone.now()
    rows = [written(user, publish_at=moment, created_at=moment) for user in users]

    outbox.announce(Notification.objects.all())

    [message] = sent
    assert pairs(sent) == [
        (str(user.pk), row.pk) for user, row in zip(users, rows, strict=True)
    ]
    assert message["data"]["title"] == "Hello"


def test_different_content_travels_apart(ada, sent):
    moment = timezone.now()
    for title in ("one", "two"):
        written(ada, title, publish_at=moment)

    outbox.announce(Notification.objects.all())

    assert [message["data"]["title"] for message in sent] == ["one", "two"]


def test_many_rows_leave_in_batches_of_five_hundred(sent):
    moment = timezone.now()
    rows = [
        Notification(recipient=user, title="Hello", publish_at=moment)
        for user in make_users(1100)
    ]
    Notification.objects.bulk_create(rows)

    total = outbox.announce(Notification.objects.all())

    assert total == 1100
    assert [len(message["to"]) for message in sent] == [500, 500, 100]
    assert len(set(pairs(sent))) == 1100
    assert waiting() == set()


def test_a_broadcast_is_one_message_that_names_its_audience(sent):
    make_users(3)
    row = written("everyone")

    outbox.announce(Notification.objects.all())

    [message] = sent
    assert (message["audience"], message["id"]) == ("everyone", row.pk)
    assert "to" not in message


def test_a_broadcast_to_chosen_users_is_a_message_to_each_of_them(ada, bob, sent):
    row = written("users")
    row.users.add(ada)

    outbox.announce(Notification.objects.all())

    [message] = sent
    assert pairs(sent) == [(str(ada.pk), row.pk)]
    assert "audience" not in message


def test_what_travels_is_plain_json_for_any_kind_of_key(ada, sent):
    written(ada)
    written("everyone")

    outbox.announce(Notification.objects.all())

    assert json.loads(json.dumps(sent)) == sent


def test_announcing_tells_the_projects_signal_what_it_announced(ada, sent):
    row = written(ada)
    heard = []

    def receiver(sender, notifications, **kwargs):
        heard.extend(notifications)

    notification_announced.connect(receiver)
    try:
        outbox.announce(Notification.objects.all())
    finally:
        notification_announced.disconnect(receiver)

    assert heard == [row]
    assert heard[0].announced_at is not None


def test_a_broken_receiver_of_the_signal_breaks_nothing(ada, sent, caplog):
    written(ada)

    def receiver(**kwargs):
        raise RuntimeError("a project's own fault")

    notification_announced.connect(receiver)
    try:
        total = outbox.announce(Notification.objects.all())
    finally:
        notification_announced.disconnect(receiver)

    assert total == 1
    assert "a project's own fault" in caplog.text


def test_who_announces_at_the_same_time_never_announces_the_same_row(sent):
    moment = timezone.now()
    users = make_users(200)
    rows = [
        Notification(recipient=user, title="Hello", publish_at=moment) for user in users
    ]
    Notification.objects.bulk_create(rows)
    start = threading.Barrier(4)
    totals = []

    def announce():
        start.wait(10)
        totals.append(outbox.announce(Notification.objects.all()))
        connection.close()

    threads = [threading.Thread(target=announce) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sum(totals) == 200
    assert len(pairs(sent)) == len(set(pairs(sent))) == 200
    assert waiting() == set()


def test_looking_for_nothing_takes_no_lock(sent, django_assert_num_queries):
    with django_assert_num_queries(
        1 if connection.vendor == "sqlite" else 2
    ) as queries:
        outbox.announce(Notification.objects.all())

    assert not [query for query in queries if "UPDATE" in query["sql"]]


def test_the_next_sweep_is_due_with_the_next_row_or_the_next_expiry(ada):
    now = timezone.now()
    assert outbox.next_due(now) is None

    written(ada, publish_at=now + 3 * MINUTE)
    assert outbox.next_due(now) == now + 3 * MINUTE

    make_notification(ada, expires_at=now + 2 * MINUTE)
    assert outbox.next_due(now) == now + 2 * MINUTE
    assert outbox.next_due(now + 2 * MINUTE) == now + 3 * MINUTE


@pytest.mark.parametrize("name", ["publish_at", "expires_at"])
def test_what_is_due_or_over_before_the_next_sweep_pokes_every_hub(ada, sent, name):
    soon = timezone.now() + timedelta(seconds=5)
    with transaction.atomic():
        outbox.announce_on_commit([written(ada, **{name: soon})])
        assert sent == []

    assert "poke" in {message["kind"] for message in sent}


@pytest.mark.parametrize("name", ["publish_at", "expires_at"])
def test_what_is_due_or_over_later_is_found_by_sweeps_there_are_anyway(ada, sent, name):
    outbox.announce_on_commit([written(ada, **{name: timezone.now() + MINUTE})])

    assert "poke" not in {message["kind"] for message in sent}


def test_what_was_announced_before_pokes_nobody(ada, sent):
    outbox.announce_on_commit([make_notification(ada, "Stored under the same key")])

    assert sent == []


@pytest.mark.postgres
def test_a_locked_row_is_left_to_whoever_has_it(ada, bob, sent):
    locked, free = written(ada), written(bob)
    taken, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(Notification.objects.select_for_update().filter(pk=locked.pk))
            taken.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    try:
        total = outbox.announce(Notification.objects.all())
    finally:
        done.set()
        thread.join(10)

    assert total == 1
    assert pairs(sent) == [(str(bob.pk), free.pk)]
    assert waiting() == {locked.pk}
