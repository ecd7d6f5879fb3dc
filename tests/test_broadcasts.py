from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from notifications import audiences, broadcasts, clock, outbox
from notifications.api import broadcast
from notifications.broadcasts import Status
from notifications.exceptions import InvalidNotification
from notifications.inbox import Inbox
from notifications.models import Broadcast, Notification, Receipt
from tests.factories import has_field, make_notification, make_user, make_users

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _committed(django_capture_on_commit_callbacks, db):
    with django_capture_on_commit_callbacks(execute=True):
        yield


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """Return a context manager that runs what waits for a commit, at its end."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def make_broadcast(audience="everyone", title="Maintenance", **fields):
    """Return a stored broadcast; a draft, unless it has a *publish_at*."""
    fields = {"publish_at": None, "announced_at": None} | fields
    row = make_notification(audience, title, **fields)
    return Broadcast.objects.get(pk=row.pk)


def make_sent(audience="everyone", **fields):
    """Return a stored broadcast that is out since a moment ago."""
    now = clock.now()
    return make_broadcast(audience, publish_at=now, announced_at=now, **fields)


def stored(broadcast):
    return Broadcast.objects.get(pk=broadcast.pk)


def test_a_draft_is_published_once_whoever_tries(sent, commit, ada, bob):
    first = make_broadcast()
    second = stored(first)

    with commit():
        assert broadcasts.publish(first, by=ada)
        assert not broadcasts.publish(second, by=bob)

    row = stored(first)
    assert row.published_by == ada
    assert row.publish_at == row.announced_at or row.publish_at <= row.announced_at
    assert [message["audience"] for message in sent if "audience" in message] == [
        "everyone"
    ]


def test_publishing_a_broadcast_to_everyone_is_a_handful_of_statements(sent, commit):
    make_users(50)
    draft = make_broadcast()

    with CaptureQueriesContext(connection) as queries, commit():
        broadcasts.publish(draft)

    written = [
        query["sql"]
        for query in queries
        if query["sql"].startswith(("INSERT", "UPDATE"))
    ]
    assert len(written) == 2  # that it is due, and that it is announced
    assert len(queries) <= 10


def test_what_is_scheduled_is_seen_by_nobody_until_it_is_due(sent, commit, ada):
    draft = make_broadcast()

    with commit():
        broadcasts.publish(draft, at=clock.now() + HOUR)

    assert broadcasts.status(stored(draft), clock.now()) == Status.SCHEDULED
    assert Inbox(ada).page().items == []
    assert sent == []  # hubs sweep before that, and plan
    assert outbox.next_due(clock.now()) == stored(draft).publish_at


def test_a_moment_that_has_passed_means_now(sent):
    draft = make_broadcast()

    broadcasts.publish(draft, at=clock.now() - HOUR)

    assert stored(draft).publish_at > clock.now() - HOUR / 2


def test_what_is_scheduled_can_be_moved_and_cancelled(sent):
    scheduled = make_broadcast(publish_at=clock.now() + HOUR)
    later = clock.now() + 2 * HOUR

    assert broadcasts.move(scheduled, later)
    assert stored(scheduled).publish_at == later
    assert broadcasts.cancel(scheduled)
    assert broadcasts.status(stored(scheduled), clock.now()) == Status.DRAFT


def test_what_is_out_can_be_neither_moved_nor_cancelled(sent):
    out = make_broadcast(publish_at=clock.now() - HOUR)

    assert not broadcasts.move(out, clock.now() + HOUR)
    assert not broadcasts.cancel(out)
    assert stored(out).publish_at < clock.now()


def test_it_has_to_end_or_to_be_dismissible(sent):
    forever = make_broadcast(dismissible=False)

    with pytest.raises(InvalidNotification, match="stay for good"):
        broadcasts.publish(forever)

    assert stored(forever).publish_at is None


def test_it_may_not_expire_before_it_is_shown(sent):
    short = make_broadcast(expires_at=clock.now() + HOUR)

    with pytest.raises(InvalidNotification, match="before it is shown"):
        broadcasts.publish(short, at=clock.now() + 2 * HOUR)


def test_recalling_ends_it_for_everybody_and_has_all_hubs_look(sent, commit, ada):
    out = make_sent()
    assert [row.pk for row in Inbox(ada).page().items] == [out.pk]

    with commit():
        assert broadcasts.recall(out)

    assert Inbox(ada).page().items == []
    assert [message["kind"] for message in sent] == ["poke"]
    assert not broadcasts.recall(out)
    assert broadcasts.status(stored(out), clock.now()) == Status.OVER


def test_what_is_recalled_before_it_was_announced_is_never_sent(sent, commit):
    draft = make_broadcast(publish_at=clock.now() - HOUR)
    broadcasts.recall(draft)

    outbox.announce(Notification.objects.all())

    assert stored(draft).announced_at is not None
    assert [message for message in sent if message["kind"] == "notifications"] == []


def test_an_expiry_can_be_changed_while_it_is_shown(sent, commit):
    out = make_broadcast(publish_at=clock.now() - HOUR)
    later = clock.now() + HOUR

    with commit():
        assert broadcasts.change_expiry(out, later)

    assert stored(out).expires_at == later
    assert [message["kind"] for message in sent] == ["poke"]
    with pytest.raises(InvalidNotification):
        broadcasts.change_expiry(out, clock.now() - HOUR)


def test_a_correction_is_announced_again_under_the_same_id(sent, commit, ada):
    out = make_sent(delivered_count=5)
    before = out.publish_at
    Inbox(ada).mark_read([out.pk])

    with commit():
        assert broadcasts.correct(out, title="Maintenance at 9")

    [message] = [message for message in sent if message["kind"] == "notifications"]
    assert message["id"] == out.pk
    assert message["data"]["title"] == "Maintenance at 9"
    row = stored(out)
    assert row.announced_at > before
    assert row.publish_at == before
    assert row.delivered_count == 0
    [listed] = Inbox(ada).page().items
    assert listed.is_read


def test_only_what_is_shown_can_be_corrected_and_only_what_it_says(sent):
    draft = make_broadcast()
    out = make_broadcast(publish_at=clock.now() - HOUR)

    assert not broadcasts.correct(draft, title="Other")
    with pytest.raises(TypeError, match="audience"):
        broadcasts.correct(out, audience="staff")
    assert stored(draft).title == "Maintenance"


def test_a_copy_is_a_draft_that_says_the_same_to_the_same(sent, ada, bob):
    out = make_broadcast(
        audiences.USERS,
        body="All of it",
        level=30,
        translations={"de": {"title": "Wartung"}},
        publish_at=clock.now() - HOUR,
        announced_at=clock.now() - HOUR,
        expires_at=clock.now() - HOUR / 2,
        delivered_count=7,
    )
    broadcasts.choose(out, [ada.pk, bob.pk])

    copy = stored(broadcasts.copy(out, by=ada))

    assert copy.pk != out.pk
    assert (copy.title, copy.body, copy.level) == ("Maintenance", "All of it", 30)
    assert copy.translations == out.translations
    assert set(copy.users.all()) == {ada, bob}
    assert copy.publish_at is copy.announced_at is copy.expires_at is None
    assert (copy.delivered_count, copy.created_by) == (0, ada)


def test_a_test_reaches_who_asked_alone_and_says_what_it_is(sent, commit, ada, bob):
    draft = make_broadcast(translations={"de": {"title": "Wartung", "body": "Um 8"}})

    with commit():
        test = broadcasts.send_test(draft, ada)

    assert stored(draft).publish_at is None
    [mine] = Inbox(ada).page().items
    assert mine.pk == test.pk
    assert mine.title == "Test: Maintenance"
    assert mine.translations["de"]["body"] == "Um 8"
    assert mine.translations["de"]["title"].endswith("Wartung")
    assert mine.is_test
    assert mine.expires_at <= clock.now() + timedelta(days=1)
    assert Inbox(bob).page().items == []
    [message] = [message for message in sent if message["kind"] == "notifications"]
    assert message["to"] == [[str(ada.pk), test.pk]]


def test_a_test_of_a_long_title_still_fits(sent, ada):
    test = broadcasts.send_test(make_broadcast(title="x" * 200), ada)

    assert len(stored(test).title) == 200


def test_the_members_of_an_audience_are_those_who_can_sign_in(ada, bob, staff):
    if has_field("is_active"):
        make_user("gone", is_active=False)

    assert set(broadcasts.members("everyone")) == {ada, bob, staff}
    assert set(broadcasts.members("staff")) == {staff}
    assert set(broadcasts.members("users", [ada.pk])) == {ada}


def test_numbers_are_those_of_the_tables(sent, commit, ada, bob, staff):
    out = make_broadcast()
    with commit():
        broadcasts.publish(out)
    Notification.objects.filter(pk=out.pk).update(delivered_count=4)
    Inbox(ada).mark_seen()
    Inbox(ada).mark_read([out.pk])
    Inbox(bob).archive([out.pk])

    numbers = broadcasts.numbers(stored(out))

    assert (numbers.audience, numbers.delivered, numbers.seen) == (3, 4, 1)
    assert (numbers.read, numbers.dismissed) == (1, 1)
    assert Receipt.objects.filter(notification=out.pk).count() == 2


def test_who_left_the_audience_is_not_counted_as_having_seen_it(sent, commit, staff):
    out = make_broadcast("staff")
    with commit():
        broadcasts.publish(out)
    Inbox(staff).mark_seen()
    assert broadcasts.numbers(stored(out)).seen == 1

    staff.is_staff = False
    staff.save()

    numbers = broadcasts.numbers(stored(out))
    assert (numbers.audience, numbers.seen) == (0, 0)


def test_what_cannot_be_measured_has_no_number(sent, commit, ada):
    draft = make_broadcast()
    banner = make_broadcast(placement="banner")
    with commit():
        broadcasts.publish(banner)

    assert broadcasts.numbers(draft).delivered is None
    assert broadcasts.numbers(draft).seen is None
    assert broadcasts.numbers(stored(banner)).seen is None


@pytest.mark.parametrize("status", Status)
def test_a_status_selects_the_rows_that_have_it(status):
    now = clock.now()
    rows = {
        Status.DRAFT: make_broadcast(),
        Status.SCHEDULED: make_broadcast(publish_at=now + HOUR),
        Status.SENT: make_broadcast(publish_at=now - HOUR, expires_at=now + HOUR),
        Status.OVER: make_broadcast(publish_at=now - 2 * HOUR, expires_at=now - HOUR),
    }

    assert list(Broadcast.objects.filter(status.condition(now))) == [rows[status]]
    assert broadcasts.status(rows[status], now) == status


def test_what_never_expires_is_sent_for_good():
    row = make_broadcast(publish_at=clock.now() - HOUR)

    assert row in Broadcast.objects.filter(Status.SENT.condition(clock.now()))


def test_a_test_is_marked_in_each_language(sent, ada):
    draft = make_broadcast(translations={"de": {"title": "Wartung"}})

    with translation.override("en"):
        test = broadcasts.send_test(draft, ada)

    assert test.title.startswith("Test: ")
    assert test.translations["de"]["title"] != "Wartung"


@pytest.mark.skipif(
    not has_field("date_joined"), reason="Nobody knows who joined when."
)
def test_who_joined_later_is_not_shown_it_and_not_counted(sent, ada):
    out, banner = make_sent(), make_sent(placement="banner")
    late = make_user("late", date_joined=clock.now() + HOUR)
    Inbox(late).mark_seen()

    assert broadcasts.numbers(out).audience == 1
    assert broadcasts.numbers(out).seen == 0
    assert broadcasts.numbers(banner).audience == 2
    assert broadcasts.numbers(make_broadcast()).audience == 2


@pytest.mark.skipif(
    not has_field("date_joined"), reason="Nobody knows who joined when."
)
def test_who_was_chosen_had_joined_though_this_machines_clock_is_ahead(sent):
    chosen = make_user("chosen", date_joined=clock.now() + HOUR)
    out = broadcast("Welcome", audience="users", users=[chosen])

    assert [row.pk for row in Inbox(chosen).page().items] == [out.pk]
    assert broadcasts.numbers(Broadcast.objects.get(pk=out.pk)).audience == 1


def test_what_is_cancelled_while_a_sweep_finds_it_due_is_not_sent(sent, monkeypatch):
    row = make_broadcast(publish_at=clock.now())
    atomic = transaction.atomic

    def cancelled_meanwhile(*args, **kwargs):
        Notification.objects.filter(pk=row.pk).update(publish_at=None)
        return atomic(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(outbox.transaction, "atomic", cancelled_meanwhile)
        outbox.announce(Notification.objects.all())

    assert sent == []
    assert stored(row).announced_at is None


def test_a_fingerprint_tells_what_it_says_and_to_whom(ada, bob):
    draft = make_broadcast(audiences.USERS)
    broadcasts.choose(draft, [ada.pk])
    first = broadcasts.fingerprint(draft)
    assert broadcasts.fingerprint(stored(draft)) == first

    broadcasts.choose(draft, [bob.pk])
    second = broadcasts.fingerprint(draft)
    draft.body = "More"

    assert len({first, second, broadcasts.fingerprint(draft)}) == 3
