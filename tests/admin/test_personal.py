from django.contrib.auth import get_user_model
from django.urls import reverse

from tests.factories import make_notification


def test_personal_notifications_can_be_found_but_not_edited(client, admin, ada):
    row = make_notification(ada, "A needle")
    make_notification(ada, "Hay")
    url = reverse("admin:live_notifications_notification_changelist")

    found = client.get(url, {"q": "needle"})
    by_user = client.get(url, {"q": getattr(ada, get_user_model().USERNAME_FIELD)})
    change = "admin:live_notifications_notification_change"
    one = client.get(reverse(change, args=[row.pk]))

    assert "A needle" in found.text
    assert "Hay" not in found.text
    assert "Hay" in by_user.text
    assert 'name="_save"' not in one.text


def test_who_has_no_permission_finds_none(client, clerk):
    clerk()

    response = client.get(reverse("admin:live_notifications_notification_changelist"))

    assert response.status_code == 403
