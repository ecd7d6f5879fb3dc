from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from notifications.models import Broadcast
from tests.factories import has_field, make_notification, make_user

pytestmark = pytest.mark.skipif(
    not has_field("is_superuser"), reason="This user model cannot enter the admin."
)

ADD = "admin:live_notifications_broadcast_add"
CHANGE = "admin:live_notifications_broadcast_change"
LIST = "admin:live_notifications_broadcast_changelist"


@pytest.fixture
def admin(client, db):
    user = make_user("admin", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def filled(**changes):
    return {
        "title": "Maintenance at 8",
        "body": "",
        "url": "",
        "level": "20",
        "category": "general",
        "audience": "everyone",
        "users": [],
        "placement": "toast",
        "dismissible": "on",
        "expires_at_0": "",
        "expires_at_1": "",
        "form_key": "form:1",
        **changes,
    }


def test_publishing_the_form_stores_one_row_that_is_due_and_announced(
    client, admin, sent, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(reverse(ADD), filled(_publish="1"), follow=True)

    assert "Published to: Everyone." in response.text
    broadcast = Broadcast.objects.get()
    assert broadcast.created_by == admin
    assert broadcast.publish_at <= timezone.now()
    assert broadcast.announced_at
    assert [message["audience"] for message in sent] == ["everyone"]


def test_saving_keeps_a_draft_that_nobody_is_sent(
    client, admin, sent, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse(ADD), filled(_save="1"))

    assert Broadcast.objects.get().publish_at is None
    assert sent == []


def test_a_double_click_publishes_once_and_says_so(
    client, admin, sent, django_capture_on_commit_callbacks
):
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            response = client.post(reverse(ADD), filled(_publish="1"), follow=True)

    assert "once is enough" in response.text
    assert Broadcast.objects.count() == 1
    assert len(sent) == 1


def test_of_two_admins_who_publish_a_draft_the_second_is_told(
    client, admin, sent, django_capture_on_commit_callbacks
):
    client.post(reverse(ADD), filled(_save="1"))
    url = reverse(CHANGE, args=[Broadcast.objects.get().pk])

    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            response = client.post(url, filled(_publish="1"), follow=True)

    assert "once is enough" in response.text
    assert len(sent) == 1


def test_what_is_published_can_be_looked_at_but_not_changed(client, admin):
    broadcast = make_notification("everyone", "Out")

    response = client.get(reverse(CHANGE, args=[broadcast.pk]))
    client.post(reverse(CHANGE, args=[broadcast.pk]), filled(_save="1"))

    assert "_publish" not in response.text
    broadcast.refresh_from_db()
    assert broadcast.title == "Out"


def test_the_list_says_whom_it_reaches_and_whether_it_is_out(client, admin):
    make_notification("staff", "Out")
    make_notification("everyone", "Draft", publish_at=None)

    text = client.get(reverse(LIST)).text

    assert "Published" in text
    assert "Draft" in text


def test_chosen_users_need_the_audience_of_that_name(client, admin):
    alone = client.post(reverse(ADD), filled(audience="users", _publish="1"))
    beside = client.post(reverse(ADD), filled(users=[str(admin.pk)], _publish="1"))

    assert "Choose at least one user." in alone.text
    assert "remove them" in beside.text
    assert not Broadcast.objects.exists()


def test_chosen_users_are_stored_before_it_is_announced(
    client, admin, sent, django_capture_on_commit_callbacks
):
    form = filled(audience="users", users=[str(admin.pk)], _publish="1")

    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse(ADD), form)

    broadcast = Broadcast.objects.get()
    assert [message["to"] for message in sent] == [[[str(admin.pk), broadcast.pk]]]


def test_a_link_that_runs_a_script_is_refused_in_the_form(client, admin):
    response = client.post(reverse(ADD), filled(url="javascript:alert(1)"))

    assert "Enter a path on this site" in response.text


def test_an_expiry_in_the_past_is_refused_in_the_form(client, admin):
    past = timezone.now() - timedelta(days=1)

    response = client.post(
        reverse(ADD),
        filled(expires_at_0=past.date().isoformat(), expires_at_1="00:00", _save="1"),
    )

    assert "lies in the past" in response.text


def test_personal_notifications_can_be_found_but_not_edited(client, admin):
    row = make_notification(admin, "A needle")
    make_notification(admin, "Hay")
    url = reverse("admin:live_notifications_notification_changelist")

    found = client.get(url, {"q": "needle"})
    by_user = client.get(url, {"q": getattr(admin, get_user_model().USERNAME_FIELD)})
    change = "admin:live_notifications_notification_change"
    one = client.get(reverse(change, args=[row.pk]))

    assert "A needle" in found.text
    assert "Hay" not in found.text
    assert "Hay" in by_user.text
    assert 'name="_save"' not in one.text


def test_a_user_without_permission_finds_neither(client, db):
    client.force_login(make_user("clerk", is_staff=True))

    assert client.get(reverse(ADD)).status_code == 403
    assert client.get(reverse(LIST)).status_code == 403
