from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from notifications.events import Cursor
from notifications.models import Broadcast, Notification, Receipt

from .factories import make_notification

pytestmark = pytest.mark.django_db

MOMENT = timezone.now()


@pytest.mark.parametrize(
    "fields",
    [
        {"audience": ""},
        {"audience": "everyone", "recipient": "ada"},
        {"audience": "everyone", "read_at": MOMENT},
        {"audience": "everyone", "archived_at": MOMENT},
    ],
    ids=["to nobody", "to both", "read", "archived"],
)
def test_the_table_refuses_what_has_no_meaning(fields, ada):
    if "recipient" in fields:
        fields = fields | {"recipient": ada}

    with pytest.raises(IntegrityError), transaction.atomic():
        Notification.objects.create(title="Hello", **fields)


def test_the_form_says_so_before_the_table_does(ada):
    both = Notification(title="Hello", recipient=ada, audience="everyone")

    with pytest.raises(ValidationError, match="not to both"):
        both.full_clean()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "nowhere"])
def test_the_form_refuses_a_link_that_leads_astray(url, ada):
    with pytest.raises(ValidationError) as caught:
        Notification(title="Hello", recipient=ada, url=url).full_clean()

    assert "url" in caught.value.message_dict


def test_a_key_is_unique_for_each_recipient_and_each_audience(ada, bob):
    for to in (ada, bob, "everyone", "staff"):
        make_notification(to, dedupe_key="order-1")

    for to in (ada, "everyone"):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_notification(to, dedupe_key="order-1")


def test_rows_without_a_key_never_clash(ada):
    make_notification(ada)
    make_notification(ada)

    assert Notification.objects.count() == 2


def test_of_a_group_one_row_at_most_is_unread(ada):
    first = make_notification(ada, group_key="thread-1")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_notification(ada, group_key="thread-1")

    first.read_at = MOMENT
    first.save()

    make_notification(ada, group_key="thread-1")


def test_one_user_has_one_receipt_for_one_broadcast(ada):
    row = make_notification("everyone")
    Receipt.objects.create(user=ada, notification=row)

    with pytest.raises(IntegrityError), transaction.atomic():
        Receipt.objects.create(user=ada, notification=row)


def test_a_row_resumes_where_it_was_announced(ada):
    row = make_notification(ada)

    assert row.cursor == Cursor.at(row.announced_at, row.pk)
    assert Notification(title="Hello").cursor is None


def test_the_moment_of_a_row_survives_the_table_to_the_microsecond(ada):
    row = make_notification(ada)

    assert Notification.objects.get().cursor == row.cursor


def test_a_broadcast_is_a_notification_to_an_audience(ada):
    personal, shared = make_notification(ada), make_notification("everyone")

    assert [row.pk for row in Broadcast.objects.all()] == [shared.pk]
    assert shared.is_broadcast
    assert not personal.is_broadcast


def test_a_user_takes_their_notifications_along_and_leaves_broadcasts(ada, bob):
    make_notification(ada, actor=bob)
    make_notification(bob)
    shared = make_notification("everyone", created_by=bob)
    Receipt.objects.create(user=bob, notification=shared)

    bob.delete()

    assert [row.recipient for row in Notification.objects.order_by("pk")] == [ada, None]
    assert not Receipt.objects.exists()


def test_what_is_visible_is_due_and_not_expired(ada):
    hour = timedelta(hours=1)
    make_notification(ada, "draft", publish_at=None)
    make_notification(ada, "scheduled", publish_at=MOMENT + hour)
    make_notification(ada, "expired", publish_at=MOMENT - hour, expires_at=MOMENT)
    make_notification(ada, "due", publish_at=MOMENT)
    make_notification(ada, "open", publish_at=MOMENT, expires_at=MOMENT + hour)

    found = Notification.objects.visible(MOMENT).order_by("pk")

    assert [row.title for row in found] == ["due", "open"]


def test_an_announced_row_can_be_edited_without_being_sent(ada, sent):
    row = make_notification(ada)

    row.title = "Corrected"
    row.save()

    assert sent == []
