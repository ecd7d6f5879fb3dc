import asyncio
import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy

from notifications import categories
from notifications.api import (
    abroadcast,
    anotify,
    asend_event,
    broadcast,
    notify,
    send_event,
)
from notifications.constants import Level
from notifications.exceptions import (
    InvalidEvent,
    InvalidNotification,
    NotificationsError,
    UnknownAudience,
    UnknownCategory,
)
from notifications.inbox import Inbox
from notifications.models import Notification

from .factories import has_field, make_users
from .sse import parse

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
NEW_YORK = ZoneInfo("America/New_York")


def titles_of(user):
    return [row.title for row in Inbox(user).page(100).items]


def pairs(messages):
    return [tuple(pair) for message in messages for pair in message.get("to", ())]


# notify()


def test_notify_stores_what_it_was_given(ada, bob):
    expires_at = timezone.now() + HOUR

    [row] = notify(
        ada, "Bob replied", body="“Yes!”", url="/threads/1/", level=Level.WARNING,
        category="general", actor=bob, target=bob, data={"thread": 1},
        translations={"de": {"title": "Bob hat geantwortet"}}, expires_at=expires_at,
    )  # fmt: skip

    row.refresh_from_db()
    assert (row.recipient, row.audience, row.title) == (ada, "", "Bob replied")
    assert (row.body, row.url, row.level) == ("“Yes!”", "/threads/1/", 30)
    assert (row.actor, row.actor_text) == (bob, str(bob))
    assert (row.target, row.target_text) == (bob, str(bob))
    assert row.data == {"thread": 1}
    assert row.translations == {"de": {"title": "Bob hat geantwortet"}}
    assert row.expires_at == expires_at


def test_notify_needs_no_more_than_a_user_and_a_title(ada):
    before = timezone.now()

    [row] = notify(ada, "Hello")

    row.refresh_from_db()
    assert before - HOUR < row.publish_at == row.created_at < before + HOUR
    assert (row.level, row.category, row.data) == (Level.INFO, "general", {})
    assert titles_of(ada) == ["Hello"]


def test_what_it_was_about_is_still_told_when_that_is_gone(ada, bob):
    name = str(bob)
    [row] = notify(ada, "Hello", actor=bob, target=bob)

    bob.delete()

    row.refresh_from_db()
    assert (row.actor, row.target) == (None, None)
    assert (row.actor_text, row.target_text) == (name, name)


def test_notify_takes_an_iterable_and_answers_in_its_order():
    users = make_users(3)

    rows = notify(iter(reversed(users)), "Hello")

    assert [row.recipient_id for row in rows] == [user.pk for user in reversed(users)]


def test_notify_takes_a_queryset():
    users = make_users(3)

    rows = notify(get_user_model().objects.order_by("email"), "Hello")

    assert [row.recipient_id for row in rows] == [user.pk for user in users]


def test_notify_takes_a_group(ada, bob, editors):
    ada.groups.add(editors)

    rows = notify(editors, "Hello")

    assert [row.recipient for row in rows] == [ada]


def test_notify_tells_each_once_and_leaves_out_who_is_excluded(ada, bob):
    rows = notify([ada, bob, ada], "Hello", exclude=bob)

    assert [row.recipient for row in rows] == [ada]


def test_notify_nobody_is_not_an_error(sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        assert notify([], "Hello") == []

    assert sent == []


def unsaved_user():
    names = {"username": "new", "email": "new@example.com"}
    fields = {name: value for name, value in names.items() if has_field(name)}
    return get_user_model()(**fields)


@pytest.mark.parametrize(
    "recipients",
    [unsaved_user, AnonymousUser, lambda: "ada", lambda: 1, lambda: None,
     lambda: [unsaved_user()], Group.objects.all, lambda: {"ada": 1}],
    ids=["unsaved", "anonymous", "text", "number", "none", "unsaved in a list",
         "other objects", "keys of a dict"],
)  # fmt: skip
def test_a_recipient_that_nothing_can_be_kept_for_is_refused(recipients):
    with pytest.raises(InvalidNotification):
        notify(recipients(), "Hello")

    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    "content",
    [
        {"title": ""},
        {"title": " \n"},
        {"title": "x" * 201},
        {"title": "a\x00b"},
        {"title": "\ud800"},
        {"title": None},
        {"body": None},
        {"body": "a\x00b"},
        {"body": 5},
        {"level": 17},
        {"level": "warning"},
        {"data": ["a"]},
        {"data": "a"},
        {"data": {"a": object()}},
        {"data": {"a": float("nan")}},
        {"data": {"a": "\x00"}},
        {"data": {"a": {"b": datetime(2026, 1, 1)}}},
        {"translations": {"de": "Hallo"}},
        {"translations": {"de": {"titel": "Hallo"}}},
        {"translations": {"de": {"title": "x" * 201}}},
        {"translations": {"de": {"body": 5}}},
        {"dedupe_key": ""},
        {"dedupe_key": "x" * 101},
        {"publish_at": datetime(2026, 1, 1)},
        {"publish_at": "2026-01-01"},
        {"expires_at": timezone.now() - HOUR},
        {"expires_at": datetime(2040, 1, 1)},
        {"expires_at": datetime(9999, 12, 31, 23, tzinfo=NEW_YORK)},
        {"publish_at": datetime(9999, 12, 31, tzinfo=UTC)},
        {"publish_at": datetime(1969, 12, 31, tzinfo=UTC)},
        {"actor": unsaved_user},
        {"actor": "bob"},
        {"actor": lambda: ContentType.objects.first()},
        {"target": unsaved_user},
        {"target": "order 17"},
    ],
    ids=lambda content: "-".join(content),
)
def test_content_that_cannot_be_kept_or_shown_is_refused_at_once(content, ada):
    content = {
        name: value() if callable(value) else value for name, value in content.items()
    }
    [name] = content

    with pytest.raises(InvalidNotification, match=name):
        notify(ada, content.pop("title", "Hello"), **content)

    assert not Notification.objects.exists()


@pytest.mark.parametrize("name", ["publish_at", "expires_at"])
def test_without_time_zone_support_a_moment_with_one_is_refused(name, ada, settings):
    settings.USE_TZ = False

    with pytest.raises(InvalidNotification, match=rf"{name} .*make_naive"):
        notify(ada, "Hello", **{name: datetime(2040, 1, 1, tzinfo=UTC)})

    assert not Notification.objects.exists()


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JaVa\tscript:alert(1)", "data:text/html,x", " /a", "a/b",
     "//evil.example", "\\\\evil.example", "/\\evil.example", "/\t/evil.example",
     "ftp://a/b", "http:///a", "https://", "https://a@evil.example/", "vbscript:x",
     "http://[", "/a b", "/a\n", "/" + "x" * 2000],
)  # fmt: skip
def test_a_link_that_leads_astray_is_refused(url, ada):
    with pytest.raises(InvalidNotification, match="url"):
        notify(ada, "Hello", url=url)


@pytest.mark.parametrize(
    "url", ["/", "/a/?b=1#c", "https://example.com/a", "http://[::1]:8000/", "/ü/"]
)
def test_a_path_or_an_http_address_is_a_link(url, ada):
    [row] = notify(ada, "Hello", url=url)

    assert row.url == url


def test_a_misspelt_argument_is_an_error_and_not_ignored(ada):
    with pytest.raises(TypeError, match="link"):
        notify(ada, "Hello", link="/a/")
    with pytest.raises(TypeError, match="audiance"):
        broadcast("Hello", audiance="staff")


def test_an_unknown_category_is_refused_with_those_there_are(ada):
    with pytest.raises(UnknownCategory, match="general"):
        notify(ada, "Hello", category="gossip")


def test_a_registered_category_is_taken(ada, monkeypatch):
    monkeypatch.setattr(categories, "_categories", categories._categories.copy())
    categories.register("gossip", "Gossip")

    [row] = notify(ada, "Hello", category="gossip")

    assert row.category == "gossip"


def test_everything_the_app_raises_has_one_base_and_is_a_builtin_too():
    assert issubclass(InvalidNotification, NotificationsError)
    assert issubclass(InvalidNotification, ValueError)
    assert issubclass(UnknownAudience, LookupError)
    assert issubclass(UnknownCategory, LookupError)


def test_the_user_of_a_request_is_one_recipient(ada, sent):
    user = SimpleLazyObject(lambda: ada)

    [row] = notify(user, "Hello")
    send_event(user, "progress", {"value": 40})

    assert row.recipient_id == ada.pk
    assert sent[-1]["to"] == [str(ada.pk)]


def test_lazy_texts_are_stored_as_text(ada):
    [row] = notify(ada, gettext_lazy("Yes"), body=gettext_lazy("No"))

    row.refresh_from_db()
    assert (row.title, row.body) == ("Yes", "No")


def test_what_is_scheduled_is_there_when_it_is_due_and_not_before(ada):
    notify(ada, "Hello", publish_at=timezone.now() + HOUR)
    assert titles_of(ada) == []

    Notification.objects.update(publish_at=timezone.now() - HOUR)

    assert titles_of(ada) == ["Hello"]


def test_publish_at_none_means_now(ada):
    notify(ada, "Hello", publish_at=None)

    assert titles_of(ada) == ["Hello"]


# Transactions


@pytest.mark.django_db(transaction=True)
def test_notify_in_a_rolled_back_transaction_leaves_no_trace(ada, sent):
    with transaction.atomic():
        notify(ada, "Hello")
        transaction.set_rollback(True)

    assert sent == []
    assert not Notification.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_notify_is_sent_when_the_callers_transaction_commits(ada, sent):
    with transaction.atomic():
        [row] = notify(ada, "Hello")
        assert sent == []

    assert pairs(sent) == [(str(ada.pk), row.pk)]


@pytest.mark.django_db(transaction=True)
def test_notify_in_a_rolled_back_savepoint_takes_no_other_along(ada, sent):
    with transaction.atomic():
        notify(ada, "kept")
        try:
            with transaction.atomic():
                notify(ada, "lost")
                raise RuntimeError
        except RuntimeError:
            pass

    assert [message["data"]["title"] for message in sent] == ["kept"]
    assert titles_of(ada) == ["kept"]


@pytest.mark.django_db(transaction=True)
def test_notify_keeps_the_row_when_the_wire_is_down(ada, monkeypatch):
    def refuse(kind, **content):
        raise ConnectionError("the wire is down")

    monkeypatch.setattr("notifications.bus.bus.send", refuse)

    [row] = notify(ada, "Hello")

    assert Notification.objects.get() == row


@pytest.mark.django_db(transaction=True)
def test_notify_works_without_any_channel_layer(ada, settings):
    settings.CHANNEL_LAYERS = {}

    notify(ada, "Hello")

    assert titles_of(ada) == ["Hello"]


# dedupe_key


def test_a_key_is_stored_once_however_often_it_is_tried(ada):
    first = notify(ada, "Hello", dedupe_key="order-1")

    second = notify(ada, "Hello again", dedupe_key="order-1")

    assert second == first
    assert titles_of(ada) == ["Hello"]


def test_a_key_belongs_to_its_recipient(ada, bob):
    [first] = notify(ada, "Hello", dedupe_key="order-1")

    rows = notify([bob, ada], "Hello", dedupe_key="order-1")

    assert [row.recipient for row in rows] == [bob, ada]
    assert rows[1] == first
    assert Notification.objects.count() == 2


def test_a_broadcasts_key_belongs_to_its_audience():
    first = broadcast("Hello", dedupe_key="release-1")

    assert broadcast("Hello", dedupe_key="release-1") == first
    assert broadcast("Hello", audience="staff", dedupe_key="release-1") != first


def test_a_key_is_free_again_once_its_row_is_gone(ada):
    notify(ada, "Hello", dedupe_key="order-1")
    Notification.objects.all().delete()

    notify(ada, "Hello", dedupe_key="order-1")

    assert titles_of(ada) == ["Hello"]


@pytest.mark.django_db(transaction=True)
def test_a_retry_is_not_announced_again(ada, sent):
    notify(ada, "Hello", dedupe_key="order-1")
    notify(ada, "Hello", dedupe_key="order-1")

    assert len(pairs(sent)) == 1


@pytest.mark.django_db(transaction=True)
def test_producers_that_try_a_key_at_the_same_time_store_one_row(ada):
    start = threading.Barrier(4)
    stored, failures = [], []

    def produce():
        try:
            start.wait(10)
            stored.extend(notify(ada, "Hello", dedupe_key="order-1"))
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failures == []
    assert len(stored) == 4
    assert len({row.pk for row in stored}) == Notification.objects.count() == 1


# broadcast()


def test_a_broadcast_is_one_row_and_the_same_few_statements_for_any_number(
    django_capture_on_commit_callbacks, sent
):
    def cost():
        with (
            CaptureQueriesContext(connection) as queries,
            django_capture_on_commit_callbacks(execute=True),
        ):
            broadcast("Hello")
        # Those of the transaction that the test itself is in are not its cost.
        own = [query for query in queries if "SAVEPOINT" not in query["sql"]]
        return len(own)

    make_users(3)
    for_few = cost()
    make_users(2000, prefix="more")
    for_many = cost()

    assert for_many == for_few <= 10
    assert Notification.objects.count() == 2
    assert len(sent) == 2


def test_a_broadcast_to_staff_is_for_staff(ada, staff):
    broadcast("Hello", audience="staff")

    assert titles_of(staff) == ["Hello"]
    assert titles_of(ada) == []


def test_a_broadcast_to_chosen_users_is_for_them_and_still_one_row(ada, bob):
    broadcast("Hello", audience="users", users=[ada])

    assert titles_of(ada) == ["Hello"]
    assert titles_of(bob) == []
    assert Notification.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_broadcast_to_chosen_users_is_announced_to_all_of_them(ada, bob, sent):
    row = broadcast("Hello", audience="users", users=[ada, bob])

    assert sorted(pairs(sent)) == sorted([(str(ada.pk), row.pk), (str(bob.pk), row.pk)])


def test_a_broadcast_to_an_unknown_audience_is_refused():
    with pytest.raises(UnknownAudience, match="everyone"):
        broadcast("Hello", audience="stuff")

    assert not Notification.objects.exists()


def test_chosen_users_and_another_audience_do_not_go_together(ada):
    with pytest.raises(InvalidNotification, match="users"):
        broadcast("Hello", audience="staff", users=[ada])
    with pytest.raises(InvalidNotification, match="users"):
        broadcast("Hello", audience="users")


def test_a_broadcast_knows_who_wrote_it_and_where_it_is_shown(ada):
    soon = timezone.now() + timedelta(hours=1)
    row = broadcast(
        "Hello",
        created_by=ada,
        placement="banner",
        dismissible=False,
        expires_at=soon,
    )

    row.refresh_from_db()
    assert (row.created_by, row.published_by) == (ada, ada)
    assert (row.placement, row.dismissible) == ("banner", False)


def test_a_broadcast_that_would_stay_for_good_is_refused():
    with pytest.raises(InvalidNotification, match="stay for good"):
        broadcast("Hello", dismissible=False)

    assert not Notification.objects.exists()


def test_a_key_that_is_known_adds_nobody_to_what_was_sent(ada, bob):
    for users in ([ada], [bob]):
        row = broadcast("Hello", audience="users", users=users, dedupe_key="k")

    assert list(row.users.all()) == [ada]


def test_an_unknown_placement_is_refused():
    with pytest.raises(InvalidNotification, match="placement"):
        broadcast("Hello", placement="sky")


# send_event()


def test_an_event_leaves_at_once_though_the_transaction_may_roll_back(ada, sent):
    send_event(ada, "progress", {"value": 40})

    [message] = sent
    assert (message["kind"], message["to"]) == ("event", [str(ada.pk)])
    [event] = parse(message["body"].encode())
    assert (event.name, event.data, event.id) == ("progress", {"value": 40}, None)
    assert not Notification.objects.exists()


def test_an_event_needs_no_data(ada, sent):
    send_event(ada, "complete")

    assert parse(sent[0]["body"].encode())[0].data == {}


def test_an_event_may_be_for_an_audience(sent):
    send_event("everyone", "status", {"text": "Back soon"})

    assert (sent[0]["to"], sent[0]["audience"]) == ([], "everyone")


def test_an_event_for_many_leaves_in_batches(sent):
    send_event(make_users(1100), "status")

    assert [len(message["to"]) for message in sent] == [500, 500, 100]


@pytest.mark.parametrize("name", ["notification", "message", "Progress", "a\nb", ""])
def test_an_event_with_a_name_that_is_taken_or_malformed_is_refused(name, ada, sent):
    with pytest.raises(InvalidEvent):
        send_event(ada, name)

    assert sent == []


def test_an_event_that_is_too_large_or_no_json_is_refused(ada, sent):
    with pytest.raises(InvalidEvent, match="16384"):
        send_event(ada, "log", {"text": "x" * 17_000})
    with pytest.raises(InvalidEvent, match="log"):
        send_event(ada, "log", {"text": object()})
    with pytest.raises(InvalidEvent, match="data is a int; give a dict"):
        send_event(ada, "log", 40)

    assert sent == []


def test_an_event_to_an_unknown_audience_is_refused(sent):
    with pytest.raises(UnknownAudience):
        send_event("stuff", "log")

    assert sent == []


# The async twins


@pytest.mark.django_db(transaction=True)
async def test_the_async_twins_do_the_same(ada, sent):
    [row] = await anotify(ada, "personal", url="/a/")
    shared = await abroadcast("for all", audience="everyone")
    await asend_event(ada, "progress", {"value": 1})

    assert [message["kind"] for message in sent] == [
        "notifications",
        "notifications",
        "event",
    ]
    assert (row.url, shared.audience) == ("/a/", "everyone")
    assert set(await sync_to_async(titles_of)(ada)) == {"personal", "for all"}


@pytest.mark.django_db(transaction=True)
async def test_many_producers_at_once_lose_nothing(ada, sent):
    async with asyncio.timeout(20):
        await asyncio.gather(*(anotify(ada, str(number)) for number in range(30)))

    assert len(pairs(sent)) == 30


# At scale


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_ten_thousand_recipients_cost_twelve_inserts_and_no_query_each(ada, sent):
    make_users(10_000)

    with CaptureQueriesContext(connection) as queries:
        rows = notify(get_user_model().objects.all(), "Hello", exclude=ada)

    statements = [query["sql"] for query in queries]
    assert len(rows) == 10_000
    assert len([sql for sql in statements if sql.startswith("INSERT")]) <= 12
    assert len(statements) < 200
    assert len(pairs(sent)) == 10_000
    assert len(sent) == 20
