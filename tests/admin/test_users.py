import re

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from notifications import audiences
from notifications.inbox import Inbox
from notifications.models import Broadcast
from tests.factories import make_user, make_users

ACTION = "notify_selected_users"


@pytest.fixture
def users_url():
    opts = get_user_model()._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")


def select(users, **more):
    """Return what the list posts where *users* are ticked."""
    return {
        "action": ACTION,
        "select_across": "0",
        "_selected_action": [user.pk for user in users],
        **more,
    }


def said(**changes):
    return {
        "title": "See you at the counter",
        "body": "",
        "url": "",
        "level": "20",
        "category": "general",
        "dismissible": "on",
        "expires_at_0": "",
        "expires_at_1": "",
        "form_key": "form:1",
        **changes,
    }


def test_two_of_five_that_are_selected_are_the_only_ones_to_hear(
    client, admin, users_url, sent, commit
):
    users = make_users(5)
    chosen, others = users[:2], users[2:]

    page = client.post(users_url, select(chosen, index="0"))
    with commit():
        done = client.post(users_url, select(chosen, **said()), follow=True)

    assert "Chosen users: 2 users now." in page.text
    assert "See you" not in page.text
    assert "Sent. Chosen users: 2 users now." in done.text
    for user in chosen:
        assert [row.title for row in Inbox(user).page().items] == [
            "See you at the counter"
        ]
    for user in [*others, admin]:
        assert Inbox(user).page().items == []
    [message] = [message for message in sent if message["kind"] == "notifications"]
    assert sorted(to for to, _ in message["to"]) == sorted(str(u.pk) for u in chosen)


def test_it_is_a_broadcast_so_it_can_be_recalled_and_counted(
    client, admin, users_url, sent, ada
):
    client.post(users_url, select([ada], **said()))

    broadcast = Broadcast.objects.get()
    assert broadcast.audience == audiences.USERS
    assert list(broadcast.users.all()) == [ada]
    assert broadcast.published_by == admin


def test_a_double_click_sends_once_and_says_so(client, admin, users_url, sent, ada):
    for _ in range(2):
        response = client.post(users_url, select([ada], **said()), follow=True)

    assert "once is enough" in response.text
    assert Broadcast.objects.count() == 1


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    client, admin, users_url, sent, ada
):
    response = client.post(
        users_url, select([ada], **said(title="", body="Kept", dismissible=""))
    )

    assert "This field is required." in response.text
    assert "It would stay for good" in response.text
    assert "Kept" in response.text
    assert re.search(rf'name="_selected_action" value="{ada.pk}"', response.text)
    assert not Broadcast.objects.exists()


def test_all_that_the_list_finds_can_be_told(client, admin, users_url, sent):
    make_users(3, prefix="finder")
    make_user("other")
    url = f"{users_url}?q=finder"
    first = get_user_model().objects.order_by("pk").last()

    client.post(url, select([first], **said(), select_across="1"))

    assert Broadcast.objects.get().users.count() == 3


def test_above_ten_thousand_the_size_is_to_be_typed(
    client, admin, users_url, sent, ada, monkeypatch
):
    monkeypatch.setattr("notifications.forms.LARGE_AUDIENCE", 0)

    without = client.post(users_url, select([ada], **said()))
    assert 'name="size"' in without.text
    assert not Broadcast.objects.exists()

    client.post(users_url, select([ada], **said(size="1")))
    assert Broadcast.objects.count() == 1


def test_who_may_not_send_is_not_offered_it(client, clerk, users_url, ada):
    opts = get_user_model()._meta
    clerk(f"view_{opts.model_name}", f"change_{opts.model_name}")

    page = client.get(users_url)
    client.post(users_url, select([ada], **said()))

    assert ACTION not in page.text
    assert not Broadcast.objects.exists()
