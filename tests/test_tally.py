import pytest
from django.db import DatabaseError

from notifications.models import Notification
from notifications.tally import Tally
from tests.factories import make_notification

pytestmark = pytest.mark.django_db


def delivered(row):
    return Notification.objects.get(pk=row.pk).delivered_count


def test_what_is_counted_is_added_to_the_row_and_told(sent):
    first, second = make_notification("everyone"), make_notification("staff")
    tally = Tally()

    tally.add(first.pk, 2)
    tally.add(second.pk, 1)
    tally.add(first.pk, 3)
    tally.write()
    tally.add(first.pk, 1)
    tally.write()

    assert (delivered(first), delivered(second)) == (6, 1)
    assert [message["kind"] for message in sent] == ["numbers", "numbers"]


def test_one_statement_per_broadcast_however_many_heard_it(
    sent, django_assert_num_queries
):
    row = make_notification("everyone")
    tally = Tally()
    for _ in range(100):
        tally.add(row.pk, 1)

    with django_assert_num_queries(1):
        tally.write()

    with django_assert_num_queries(0):
        tally.write()


def test_what_cannot_be_written_now_is_written_with_the_next(sent, monkeypatch):
    row = make_notification("everyone")
    tally = Tally()
    tally.add(row.pk, 2)

    with monkeypatch.context() as broken:

        def refuse(*args, **kwargs):
            raise DatabaseError("gone")

        broken.setattr("django.db.models.QuerySet.update", refuse)
        tally.write()

    assert delivered(row) == 0
    assert sent == []
    tally.add(row.pk, 1)
    tally.write()
    assert delivered(row) == 3
