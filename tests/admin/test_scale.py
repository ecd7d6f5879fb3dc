"""The admin of a site with many users, many groups and many broadcasts."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from notifications import broadcasts, clock
from notifications.models import Broadcast, Notification, Receipt
from tests.factories import make_users
from tests.useradmin import UserAdmin

from .test_broadcasts import (
    LIST,
    act,
    confirmed,
    filled,
    make_draft,
    make_sent,
    url_to,
)
from .test_users import said, select

DAY = timedelta(days=1)
FIELDS = 1000  # that Django takes of one form, see DATA_UPLOAD_MAX_NUMBER_FIELDS
CHOSEN = Notification.users.through


@pytest.fixture(params=[True, False], ids=["searched", "not searched"])
def is_searched(request, monkeypatch):
    """Whether the admin of users is one in which they can be searched for."""
    if not request.param:
        monkeypatch.setattr(UserAdmin, "search_fields", ())
    return request.param


@pytest.fixture
def asked(monkeypatch):
    """Every time that the clock was asked for."""
    moments, now = [], clock.now

    def count():
        moments.append(now())
        return moments[-1]

    monkeypatch.setattr(clock, "now", count)
    return moments


@pytest.fixture
def loaded():
    """What was loaded of receipts and chosen users."""
    rows = []

    def load(instance, **kwargs):
        if instance.pk:  # not one that is made
            rows.append(instance)

    for model in (Receipt, CHOSEN):
        post_init.connect(load, model)
    yield rows
    for model in (Receipt, CHOSEN):
        post_init.disconnect(load, model)


def as_posted(page):
    """Return the fields that a browser posts for the users in the form of *page*."""
    field = re.search(r'<input[^>]* name="users"[^>]* value="([^"]*)"', page)
    if field:
        return [field[1]]
    options = page.partition('name="users"')[2].partition("</select>")[0]
    return re.findall(r'value="([^"]*)" selected', options)


def make_over(users=(), readers=()):
    """Return a broadcast that has expired, and what may be many of it."""
    row = make_sent("users", expires_at=clock.now() - DAY)
    broadcasts.choose(row, [user.pk for user in users])
    Receipt.objects.bulk_create(
        Receipt(user=user, notification=row) for user in readers
    )
    return row


# Many users


def test_a_draft_for_more_users_than_a_form_has_fields_is_saved_and_sent(
    client, admin, is_searched, sent
):
    users = make_users(FIELDS + 1, prefix="crowd")
    opts = get_user_model()._meta
    listed = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    client.post(listed, select(users[:1], **said(), select_across="1"))
    [out] = Broadcast.objects.all()

    page = act(client, out, "duplicate")
    draft = Broadcast.objects.exclude(pk=out.pk).get()
    form = filled(audience="users", users=as_posted(page.text), title="Again")
    saved = client.post(url_to("change", draft), {**form, "_continue": "1"})
    copied = client.post(
        url_to("change", draft),
        {**form, "CHANGE_FORM-action": "duplicate", "_selected_action": str(draft.pk)},
    )
    to_send = client.post(url_to("change", draft), {**form, "_send": "1"})
    draft.refresh_from_db()
    client.post(url_to("send", draft), confirmed(draft))

    assert [saved.status_code, copied.status_code] == [302, 302]
    assert to_send.url == url_to("send", draft)
    draft.refresh_from_db()
    assert draft.title == "Again"
    assert draft.publish_at is not None
    # All that are in the list of users, who sends it among them.
    assert {user.pk for user in draft.users.all()} == {
        *(user.pk for user in users),
        admin.pk,
    }


def test_few_users_are_searched_for_where_the_users_admin_can(
    client, admin, is_searched, ada
):
    draft = make_draft("users")
    broadcasts.choose(draft, [ada.pk])

    page = client.get(url_to("change", draft)).text

    assert ("admin-autocomplete" in page) == is_searched
    assert as_posted(page) == [str(ada.pk)]


def test_no_user_is_lost_of_a_page_that_is_of_when_they_were_few(
    client, admin, ada, bob, monkeypatch
):
    draft = make_draft("users")
    broadcasts.choose(draft, [ada.pk, bob.pk])
    page = client.get(url_to("change", draft)).text
    monkeypatch.setattr("notifications.admin.broadcasts.MOST_SEARCHED", 1)

    client.post(
        url_to("change", draft),
        filled(audience="users", users=as_posted(page), _continue="1"),
    )

    assert set(draft.users.all()) == {ada, bob}


# Many broadcasts, and many groups


def test_the_list_asks_as_often_for_many_broadcasts_as_for_one(client, admin, asked):
    def queries():
        del asked[:]
        with CaptureQueriesContext(connection) as captured:
            page = client.get(reverse(LIST))
        return len(captured), len(asked), page.text

    groups = Group.objects.bulk_create(Group(name=f"group {n}") for n in range(20))
    make_sent(f"group:{groups[0].pk}")
    queries()
    of_one = queries()
    for group in groups[1:]:
        make_sent(f"group:{group.pk}")
    make_draft("group:4711")
    of_many = queries()

    assert of_many[:2] == of_one[:2]
    labels = re.findall(r'field-audience_label">([^<]*)<', of_many[2])
    assert labels == [
        "group:4711",
        *(f"Group “{group.name}”" for group in reversed(groups)),
    ]


# Many receipts


def test_what_goes_with_a_broadcast_is_counted_and_not_loaded(client, admin, loaded):
    users = make_users(30)
    over = make_over(users, users[:20])

    page = client.get(url_to("delete", over)).text
    client.post(url_to("delete", over), {"post": "yes"})

    assert "Broadcasts: 1" in page
    assert f'<a href="{url_to("change", over)}">Maintenance at 8</a>' in page
    assert "Receipts: 20" in page
    assert "Notification-user relationships: 30" in page
    assert loaded == []
    for model in (Notification, Receipt, CHOSEN):
        assert not model.objects.exists()


def test_selected_broadcasts_are_deleted_by_as_many_queries_as_one(
    client, admin, asked, loaded
):
    def delete(rows):
        data = {"action": "delete_selected", "_selected_action": [r.pk for r in rows]}
        del asked[:]
        with CaptureQueriesContext(connection) as captured:
            page = client.post(reverse(LIST), data)
        numbers = len(captured), len(asked)
        client.post(reverse(LIST), {**data, "post": "yes"})
        return *numbers, page.text

    users = make_users(4)
    delete([make_over(users, users)])
    of_one = delete([make_over(users, users)])
    of_many = delete([make_over(users, users) for _ in range(10)])

    assert of_many[:2] == of_one[:2]
    assert "Receipts: 40" in of_many[2]
    assert loaded == []
    assert not Broadcast.objects.exists()


def test_what_is_shown_is_not_deleted_among_others(client, admin):
    rows = [make_sent(), make_draft()]
    data = {"action": "delete_selected", "_selected_action": [r.pk for r in rows]}

    page = client.post(reverse(LIST), data)
    answer = client.post(reverse(LIST), {**data, "post": "yes"})

    assert "Cannot delete broadcasts" in page.text
    assert answer.status_code == 403
    assert Broadcast.objects.count() == 2


def test_who_may_not_delete_receipts_deletes_nothing_that_has_some(
    client, clerk, ada, monkeypatch
):
    site = django_admin.site
    monkeypatch.setitem(site._registry, Receipt, django_admin.ModelAdmin(Receipt, site))
    clerk("view_broadcast", "delete_broadcast")
    with_one, without = make_over(readers=[ada]), make_over()

    page = client.get(url_to("delete", with_one))
    answers = [
        client.post(url_to("delete", row), {"post": "yes"})
        for row in (with_one, without)
    ]

    assert "Cannot delete broadcast" in page.text
    assert [answer.status_code for answer in answers] == [403, 302]
    assert list(Broadcast.objects.all()) == [with_one]
