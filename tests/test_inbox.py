import random
from datetime import timedelta
from itertools import chain

import pytest
from django.utils import timezone

from notifications.events import Cursor
from notifications.filters import Filter, View
from notifications.inbox import Inbox
from notifications.models import InboxState, Notification, Receipt

from .factories import has_field, make_notification, make_user

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def chosen(user, title="Hello", **fields):
    row = make_notification("users", title, **fields)
    row.users.add(user)
    return row


def personal(user, title="Hello", **fields):
    return make_notification(user, title, **fields)


def everyone(user, title="Hello", **fields):
    return make_notification("everyone", title, **fields)


# One notification that reaches a user, in each of the ways there are.
WAYS = pytest.mark.parametrize("reach", [personal, everyone, chosen])


def listed(user, **options):
    return [row.title for row in Inbox(user).page(100, **options).items]


def counts(user):
    found = Inbox(user).counts()
    return found.unread, found.unseen


@pytest.fixture
def member(request):
    """A user who joined long ago, so that dates in a test are free."""
    fields = {"date_joined": timezone.now() - 1000 * DAY}
    return make_user("member", **fields)


@WAYS
def test_what_reaches_a_user_is_listed_and_counted_once(reach, ada):
    row = reach(ada)

    [item] = Inbox(ada).page().items

    assert item == row
    assert (item.is_read, item.is_archived) == (False, False)
    assert counts(ada) == (1, 1)


def test_what_is_for_somebody_else_is_neither_listed_nor_counted(ada, bob):
    personal(bob)
    chosen(bob)
    make_notification("staff")
    make_notification("group:1")
    make_notification("no-longer-registered")

    assert listed(ada) == []
    assert counts(ada) == (0, 0)


@WAYS
@pytest.mark.parametrize(
    "when",
    [
        {"publish_at": None, "announced_at": None},
        {"publish_at": timezone.now() + DAY, "announced_at": None},
        {"expires_at": timezone.now() - MINUTE, "age": 2 * MINUTE},
    ],
    ids=["draft", "scheduled", "expired"],
)
def test_what_is_not_visible_is_neither_listed_nor_counted_nor_got(reach, when, member):
    row = reach(member, **when)

    assert listed(member) == []
    assert counts(member) == (0, 0)
    assert Inbox(member).get(row.pk) is None


@WAYS
def test_what_expires_later_is_still_listed(reach, ada):
    reach(ada, expires_at=timezone.now() + DAY)

    assert listed(ada) == ["Hello"]


@WAYS
def test_what_is_committed_but_not_yet_announced_is_there_and_unseen(reach, ada):
    Inbox(ada).mark_seen()

    reach(ada, announced_at=None)

    assert listed(ada) == ["Hello"]
    assert counts(ada) == (1, 1)


@WAYS
def test_reading_changes_the_count_and_nothing_else(reach, ada):
    row = reach(ada)

    changed = Inbox(ada).mark_read([row.pk])

    assert changed == 1
    assert counts(ada) == (0, 0)
    assert listed(ada) == ["Hello"]
    assert listed(ada, where=Filter(View.UNREAD)) == []
    assert Inbox(ada).get(row.pk).is_read


@WAYS
def test_reading_again_changes_nothing_not_even_the_time(reach, ada):
    row = reach(ada)
    Inbox(ada).mark_read([row.pk])
    before = list(Receipt.objects.values()), list(Notification.objects.values())

    changed = Inbox(ada).mark_read([row.pk])

    assert changed == 0
    assert (
        list(Receipt.objects.values()),
        list(Notification.objects.values()),
    ) == before


@WAYS
def test_what_was_read_can_be_unread_again(reach, ada):
    row = reach(ada)
    Inbox(ada).mark_read([row.pk])

    assert Inbox(ada).mark_unread([row.pk]) == 1
    assert Inbox(ada).mark_unread([row.pk]) == 0

    assert counts(ada)[0] == 1
    assert listed(ada, where=Filter(View.UNREAD)) == ["Hello"]


@WAYS
def test_what_is_archived_is_gone_from_list_and_count(reach, ada):
    row = reach(ada)

    changed = Inbox(ada).archive([row.pk])

    assert changed == 1
    assert Inbox(ada).archive([row.pk]) == 0
    assert listed(ada) == []
    assert counts(ada) == (0, 0)


@pytest.mark.parametrize("reach", [everyone, chosen])
def test_what_one_user_does_with_a_broadcast_is_theirs_alone(reach, ada, bob):
    row = reach(ada)
    if reach is chosen:
        row.users.add(bob)

    Inbox(ada).mark_read([row.pk])
    Inbox(ada).archive([row.pk])

    assert counts(ada) == (0, 0)
    assert counts(bob) == (1, 1)
    assert listed(bob) == ["Hello"]
    assert list(Receipt.objects.values_list("user_id", flat=True)) == [ada.pk]


def test_nobody_who_only_looks_costs_a_row(ada):
    everyone(ada)

    Inbox(ada).page()
    Inbox(ada).counts()
    Inbox(ada).state([1])

    assert not Receipt.objects.exists()
    assert not InboxState.objects.exists()


@pytest.mark.parametrize("action", ["mark_read", "mark_unread", "archive"])
def test_ids_of_other_users_and_ids_of_nothing_are_left_alone(action, ada, bob):
    theirs = [personal(bob), chosen(bob), make_notification("staff")]
    Inbox(bob).mark_read([row.pk for row in theirs[:1]])
    before = list(Notification.objects.order_by("pk").values())

    changed = getattr(Inbox(ada), action)([row.pk for row in theirs] + [10**9, 0, -1])

    assert changed == 0
    assert list(Notification.objects.order_by("pk").values()) == before
    assert not Receipt.objects.filter(user=ada).exists()


@WAYS
@pytest.mark.parametrize("action", ["mark_read", "archive"])
def test_what_is_not_visible_yet_is_left_alone(action, reach, ada):
    due = reach(ada)
    scheduled = reach(ada, publish_at=timezone.now() + DAY, announced_at=None)

    assert getattr(Inbox(ada), action)([due.pk, scheduled.pk]) == 1

    assert not Receipt.objects.filter(notification=scheduled).exists()
    scheduled.refresh_from_db()
    assert scheduled.read_at is scheduled.archived_at is None


def test_nothing_is_got_that_is_for_somebody_else(ada, bob):
    rows = [personal(bob), chosen(bob), make_notification("staff")]

    assert [Inbox(ada).get(row.pk) for row in rows] == [None, None, None]


def test_the_newest_comes_first_whatever_it_is_addressed_to(member):
    personal(member, "third", age=3 * MINUTE)
    everyone(member, "first", age=MINUTE)
    chosen(member, "second", age=2 * MINUTE)
    personal(member, "fourth", age=4 * MINUTE)

    assert listed(member) == ["first", "second", "third", "fourth"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 23, 24, 50])
def test_pages_have_neither_gaps_nor_doubles_though_many_share_a_moment(limit, member):
    shuffled = random.Random(limit)  # noqa: S311
    base = timezone.now() - DAY
    for number in range(24):
        moment = base + shuffled.randrange(4) * MINUTE
        reach = shuffled.choice([personal, everyone, chosen])
        reach(member, str(number), publish_at=moment)
    expected = [str(row) for row in Notification.objects.order_by("-publish_at", "-id")]

    pages, before = [], None
    while True:
        page = Inbox(member).page(limit, before)
        pages.append([row.title for row in page.items])
        before = page.next
        if before is None:
            break

    assert list(chain.from_iterable(pages)) == expected
    assert {len(page) for page in pages[:-1]} <= {limit}
    assert pages[-1]


def test_what_arrives_while_somebody_pages_does_not_move_the_next_page(member):
    for number in range(4):
        personal(member, str(number), age=(10 - number) * MINUTE)
    first = Inbox(member).page(2)

    personal(member, "new")
    second = Inbox(member).page(2, first.next)

    assert [row.title for row in second.items] == ["1", "0"]


def test_a_page_costs_the_same_however_much_it_lists(
    member, django_assert_max_num_queries
):
    for number in range(30):
        everyone(member, str(number))
        personal(member, str(number))

    with django_assert_max_num_queries(5):
        items = Inbox(member).page(50).items
        [(row.title, row.is_read, row.actor_text) for row in items]


def test_counts_cost_a_few_queries(member, django_assert_max_num_queries):
    for number in range(3):
        everyone(member, str(number))
        personal(member, str(number))
        chosen(member, str(number))

    with django_assert_max_num_queries(9):
        found = Inbox(member).counts()

    assert (found.unread, found.unseen) == (9, 9)


def test_what_is_unseen_is_counted_also_behind_a_thousand_that_were_seen(member):
    moment = timezone.now() - MINUTE
    seen = [
        Notification(
            recipient=member, title="Hello", publish_at=moment, announced_at=moment
        )
        for _ in range(1020)
    ]
    Notification.objects.bulk_create(seen)
    Inbox(member).mark_seen()

    # Written by long transactions: published before, announced after.
    personal(member, publish_at=moment - DAY, announced_at=timezone.now())
    personal(member, publish_at=moment - DAY, announced_at=None)

    assert counts(member) == (1000, 2)


def test_counts_stop_at_a_thousand(ada):
    moment = timezone.now()
    rows = [
        Notification(
            recipient=ada, title="Hello", publish_at=moment, announced_at=moment
        )
        for _ in range(1020)
    ]
    Notification.objects.bulk_create(rows)
    everyone(ada)

    assert counts(ada) == (1000, 1000)


@pytest.mark.skipif(
    "not __import__('tests.factories').factories.has_field('date_joined')",
    reason="This user model does not know when somebody joined.",
)
def test_a_broadcast_from_before_somebody_joined_is_not_theirs_a_banner_is():
    joined = timezone.now() - DAY
    newcomer = make_user("newcomer", date_joined=joined)
    everyone(newcomer, "before", publish_at=joined - MINUTE)
    everyone(newcomer, "banner", publish_at=joined - MINUTE, placement="banner")
    everyone(newcomer, "at that moment", publish_at=joined)
    everyone(newcomer, "after", publish_at=joined + MINUTE)
    personal(newcomer, "personal", publish_at=joined - 2 * MINUTE)

    assert listed(newcomer) == ["after", "at that moment", "banner", "personal"]


def test_who_does_not_know_when_they_joined_has_every_broadcast(ada):
    if has_field("date_joined"):
        pytest.skip("This user model knows when somebody joined.")
    everyone(ada, age=1000 * DAY)

    assert listed(ada) == ["Hello"]


def test_staff_have_what_is_for_staff_until_they_are_staff_no_longer(staff):
    make_notification("staff", "For staff")
    assert listed(staff) == ["For staff"]

    staff.is_staff = False
    staff.save()

    assert listed(staff) == []


def test_members_of_a_group_have_what_is_for_the_group(ada, bob, editors):
    ada.groups.add(editors)
    make_notification(f"group:{editors.pk}", "For editors")

    assert listed(ada) == ["For editors"]
    assert listed(bob) == []


# Seen


def test_opening_the_bell_leaves_nothing_unseen_and_everything_unread(ada):
    personal(ada)
    everyone(ada)

    changed = Inbox(ada).mark_seen()

    assert changed == 1
    assert counts(ada) == (2, 0)


def test_opening_the_bell_is_one_row_however_often(ada):
    Inbox(ada).mark_seen()
    Inbox(ada).mark_seen()

    assert InboxState.objects.count() == 1


def test_what_was_announced_after_what_was_shown_stays_unseen(member):
    shown = personal(member, age=2 * MINUTE)
    personal(member, age=MINUTE)

    Inbox(member).mark_seen(shown.cursor)

    assert counts(member) == (2, 1)


def test_seen_does_not_go_back(member):
    old, new = personal(member, age=2 * MINUTE), personal(member, age=MINUTE)
    Inbox(member).mark_seen(new.cursor)

    changed = Inbox(member).mark_seen(old.cursor)

    assert changed == 0
    assert counts(member) == (2, 0)


def test_nobody_can_have_seen_the_future(ada):
    Inbox(ada).mark_seen(Cursor.at(timezone.now() + DAY))

    personal(ada)

    assert counts(ada) == (1, 1)


# All read


def test_all_read_is_all_of_it(ada):
    personal(ada)
    everyone(ada)
    chosen(ada)

    changed = Inbox(ada).mark_all_read()

    assert changed == 3
    assert counts(ada) == (0, 0)


def test_all_read_covers_what_is_visible_though_not_announced_yet(ada):
    personal(ada, announced_at=None)
    everyone(ada, announced_at=None)

    changed = Inbox(ada).mark_all_read()

    assert changed == 2
    assert counts(ada) == (0, 0)


@pytest.mark.parametrize("reach", [personal, everyone, chosen])
def test_all_read_stops_at_what_was_shown(reach, member):
    shown = reach(member, "shown", age=2 * MINUTE)
    reach(member, "later", age=MINUTE)

    changed = Inbox(member).mark_all_read(shown.cursor)

    assert changed == 1
    assert listed(member, where=Filter(View.UNREAD)) == ["later"]


def test_all_read_stops_at_what_was_shown_also_within_one_batch(member):
    moment = timezone.now() - MINUTE
    shown = personal(member, "shown", announced_at=moment, publish_at=moment)
    personal(member, "later", announced_at=moment, publish_at=moment)

    Inbox(member).mark_all_read(shown.cursor)

    assert listed(member, where=Filter(View.UNREAD)) == ["later"]


def test_all_read_is_nobody_elses(ada, bob):
    personal(bob)
    everyone(bob)

    Inbox(ada).mark_all_read()

    assert counts(bob) == (2, 2)


def test_all_read_does_not_read_what_comes_later_or_never(member):
    scheduled = personal(
        member, "soon", publish_at=timezone.now() + DAY, announced_at=None
    )
    draft = everyone(member, "draft", publish_at=None, announced_at=None)

    Inbox(member).mark_all_read()

    scheduled.refresh_from_db()
    assert scheduled.read_at is None
    assert not Receipt.objects.filter(notification=draft).exists()


# State


def test_the_state_is_the_truth_about_what_is_shown(ada, bob):
    read, archived, unread, everyones, gone, foreign = (
        personal(ada),
        everyone(ada),
        chosen(ada),
        everyone(ada),
        personal(ada, expires_at=timezone.now() - MINUTE),
        personal(bob),
    )
    Inbox(ada).mark_read([read.pk, everyones.pk])
    Inbox(ada).archive([archived.pk])
    shown = [row.pk for row in (read, archived, unread, everyones, gone, foreign)]

    state = Inbox(ada).state(shown)

    assert (state["unread"], state["unseen"]) == (1, 1)
    assert set(state["read"]) == {read.pk, everyones.pk}
    assert archived.pk in state["archived"]
    assert unread.pk in state["unread_ids"]
    assert set(state["removed"]) == {gone.pk, foreign.pk}


def test_the_state_without_anything_shown_is_the_counts(ada):
    personal(ada)

    state = Inbox(ada).state()

    assert (state["unread"], state["unseen"]) == (1, 1)
    assert state["read"] == state["unread_ids"] == state["archived"] == []
    assert state["removed"] == []


def test_a_later_state_is_newer(ada):
    first, second = Inbox(ada).state(), Inbox(ada).state()

    assert first["as_of"] < second["as_of"]


# Telling


CHANGES = {
    "mark_read": "read",
    "mark_unread": "unread_ids",
    "archive": "archived",
}


@WAYS
@pytest.mark.parametrize(("action", "name"), CHANGES.items())
def test_a_change_is_told_to_the_users_pages_after_commit(
    reach, action, name, ada, sent, django_capture_on_commit_callbacks
):
    row = reach(ada)
    if action == "mark_unread":
        Inbox(ada).mark_read([row.pk])

    with django_capture_on_commit_callbacks() as hooks:
        getattr(Inbox(ada), action)([row.pk])
    assert sent == []
    for hook in hooks:
        hook()

    [message] = sent
    assert (message["kind"], message["to"]) == ("state", str(ada.pk))
    assert message["data"][name] == [row.pk]
    assert message["data"]["unread"] == counts(ada)[0]


def test_nothing_is_told_when_nothing_changed(
    ada, bob, sent, django_capture_on_commit_callbacks
):
    row = personal(bob)

    with django_capture_on_commit_callbacks(execute=True):
        Inbox(ada).mark_read([row.pk])
        Inbox(ada).archive([row.pk])
        Inbox(ada).mark_all_read()

    assert sent == []
