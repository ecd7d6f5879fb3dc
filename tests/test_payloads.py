import json
from datetime import datetime

import pytest
from django.utils import timezone

from notifications.conf import conf
from notifications.payloads import event, item, payload

from .factories import make_notification

pytestmark = pytest.mark.django_db


def test_the_payload_is_json_and_tells_what_is_shown(ada):
    row = make_notification(
        ada, "Title", body="Body", url="/there/", level=30, category="general",
        data={"a": [1, None]}, actor_text="Bob", target_text="A page",
        expires_at=timezone.now(),
    )  # fmt: skip

    found = payload(row)

    assert json.loads(json.dumps(found)) == found
    assert found == found | {
        "title": "Title",
        "body": "Body",
        "url": "/there/",
        "level": 30,
        "level_name": "warning",
        "category": "general",
        "actor": "Bob",
        "target": "A page",
        "data": {"a": [1, None]},
        "publish_at": row.publish_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
    }


@pytest.mark.parametrize(("level", "name"), [(10, "info"), (27, "success")])
def test_a_row_may_have_a_level_that_only_its_project_knows(level, name, ada):
    row = make_notification(ada, level=level)

    assert (payload(row)["level"], payload(row)["level_name"]) == (level, name)


def test_the_payload_has_moments_with_an_offset_without_time_zone_support(
    ada, settings
):
    settings.USE_TZ = False
    row = make_notification(
        ada,
        publish_at=datetime(2026, 1, 2, 8, 0),
        expires_at=datetime(2036, 7, 1, 8, 0),
    )
    row.refresh_from_db()

    found = payload(row)

    assert found["publish_at"] == "2026-01-02T08:00:00+01:00"
    assert found["expires_at"] == "2036-07-01T08:00:00+02:00"


def test_the_payload_tells_neither_for_whom_nor_who_else_it_is_for(ada):
    row = make_notification("staff", created_by=ada)

    found = payload(row)

    assert "staff" not in found.values()
    assert str(ada.pk) not in map(str, found.values())


def test_all_recipients_of_equal_content_share_the_payload(ada, bob):
    moment = timezone.now()
    first = make_notification(ada, publish_at=moment)
    second = make_notification(bob, publish_at=moment)

    assert payload(first) == payload(second)


def test_the_event_resumes_at_its_row(ada):
    row = make_notification(ada)

    made = event(row.pk, row.cursor.microseconds, payload(row))

    assert (made.name, made.cursor) == ("notification", row.cursor)
    assert (made.data["id"], made.data["at"]) == (row.pk, row.cursor.microseconds)
    assert "truncated" not in made.data


@pytest.mark.parametrize(
    ("large", "kept"),
    [
        ({"data": {"a": "x" * 2000}}, {"body", "translations"}),
        (
            {"data": {"a": "x" * 2000}, "translations": {"de": {"body": "x" * 2000}}},
            {"body"},
        ),
        ({"body": "x" * 2000, "data": {"a": 1}}, set()),
    ],
    ids=["data", "translations", "body"],
)
def test_an_event_that_is_too_large_sheds_what_the_inbox_page_has(
    large, kept, ada, settings
):
    settings.NOTIFICATIONS_MAX_EVENT_BYTES = 1000
    fields = {"body": "Body", "translations": {"de": {"title": "Titel"}}} | large
    row = make_notification(ada, "Title", **fields)

    made = event(row.pk, row.cursor.microseconds, payload(row))

    assert len(made.encode()) <= 1000
    assert made.data["title"] == "Title"
    assert made.data["truncated"] is True
    found = {name for name in ("body", "translations", "data") if made.data[name]}
    assert found == kept


def test_the_largest_title_and_link_are_never_too_large(ada):
    row = make_notification(ada, "\U0001f600" * 200, url="/" + "x" * 1999)

    made = event(row.pk, row.cursor.microseconds, payload(row))

    assert made.data["title"] == row.title
    assert len(made.encode()) <= conf.MAX_EVENT_BYTES


def test_an_item_says_whether_it_is_read(ada):
    read, unread = (
        make_notification(ada, read_at=timezone.now()),
        make_notification(ada),
    )

    assert item(read)["read"] is True
    assert item(unread)["read"] is False
    assert item(unread)["at"] == unread.cursor.microseconds
