from datetime import date, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from notifications import audiences
from notifications.exceptions import UnknownAudience
from notifications.inbox import Inbox

from .factories import has_field, make_notification, make_user

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def registered(monkeypatch):
    """Return a function that registers an audience for this test alone."""
    monkeypatch.setattr(audiences, "_audiences", audiences._audiences.copy())
    return audiences.register


def reached(key):
    return set(audiences.get(key).users())


def test_everyone_is_everybody_who_is_active(ada, bob):
    if has_field("is_active"):
        make_user("gone", is_active=False)

    assert reached("everyone") == {ada, bob}
    assert audiences.get("everyone").includes(ada)


def test_who_joined_on_a_day_did_so_as_it_began(ada):
    ada.date_joined = date(2026, 1, 5)

    assert audiences.joined_at(ada) == timezone.make_aware(datetime(2026, 1, 5))


def test_a_user_model_may_keep_the_day_alone(ada):
    make_notification("everyone", "Before", age=2 * DAY)
    later = make_notification("everyone", "Since")
    ada.date_joined = timezone.localdate()

    assert [row.pk for row in Inbox(ada).page().items] == [later.pk]


def test_nobody_who_is_inactive_is_in_any_audience(ada, editors):
    ada.groups.add(editors)
    ada.is_staff = True
    ada.is_active = False
    ada.save()

    assert audiences.keys_of(ada) == frozenset()
    assert reached("staff") == reached(f"group:{editors.pk}") == set()


def test_staff_are_those_with_the_flag(ada, staff):
    assert reached("staff") == {staff}
    assert audiences.keys_of(staff) == {"everyone", "staff"}
    assert audiences.keys_of(ada) == {"everyone"}


def test_a_group_is_an_audience_for_whoever_is_in_it_now(ada, bob, editors):
    ada.groups.add(editors)
    key = f"group:{editors.pk}"

    assert reached(key) == {ada}
    assert audiences.get(key).includes(ada)
    assert not audiences.get(key).includes(bob)
    assert audiences.keys_of(ada) == {"everyone", key}

    ada.groups.clear()

    assert reached(key) == set()
    assert audiences.keys_of(ada) == {"everyone"}


def test_a_user_model_without_groups_or_staff_has_empty_audiences_not_errors(ada):
    group = Group.objects.create(name="editors")

    assert reached(f"group:{group.pk}") == set()
    assert ada not in reached("staff")
    assert audiences.keys_of(ada) == {"everyone"}


def test_hand_picked_users_are_in_no_audience_by_themselves(ada):
    assert "users" not in audiences.keys_of(ada)
    assert reached("users") == set()


def test_an_unknown_audience_fails_with_those_that_are_known():
    with pytest.raises(UnknownAudience, match=r"'stuff'.*everyone, staff, users"):
        audiences.get("stuff")


@pytest.mark.parametrize("pk", ["999999", "abc", "", "-1", "1e3", "\u00b2", "9" * 40])
def test_an_unknown_group_fails_with_the_groups_there_are(pk):
    group = Group.objects.create(name="editors")

    with pytest.raises(UnknownAudience, match=rf"group:{group.pk} \(editors\)"):
        audiences.get(f"group:{pk}")


def test_a_project_registers_its_own_audience(ada, bob, registered):
    def users():
        return get_user_model().objects.filter(email="ada@example.com")

    registered("countess", "The countess", users=users)

    assert reached("countess") == {ada}
    assert "countess" in audiences.keys_of(ada)
    assert "countess" not in audiences.keys_of(bob)
    assert ("countess", "The countess") in audiences.choices()


def test_a_project_may_answer_without_a_query(
    ada, bob, registered, django_assert_num_queries
):
    registered(
        "countess",
        "The countess",
        users=get_user_model().objects.none,
        includes=lambda user: user.email.startswith("ada"),
    )

    with django_assert_num_queries(1 if has_field("groups") else 0):
        assert "countess" in audiences.keys_of(ada)
    assert "countess" not in audiences.keys_of(bob)


@pytest.mark.parametrize("key", ["", "a:b", "group:1", "a" * 101])
def test_a_malformed_key_is_refused(key, registered):
    with pytest.raises(ValueError, match="no audience key"):
        registered(key, "Label", users=get_user_model().objects.all)


def test_the_choices_are_the_registered_ones_and_then_the_groups(db):
    writers = Group.objects.create(name="writers")
    editors = Group.objects.create(name="editors")

    assert [key for key, _ in audiences.choices()] == [
        "everyone",
        "staff",
        "users",
        f"group:{editors.pk}",
        f"group:{writers.pk}",
    ]


def test_the_digest_changes_with_the_keys_and_tells_none_of_them():
    digest = audiences.digest({"everyone", "staff"})

    assert digest == audiences.digest(["staff", "everyone"])
    assert digest != audiences.digest({"everyone"})
    assert digest != audiences.digest({"everyonestaff"})
    assert "staff" not in digest


def test_changed_tells_whose_audiences_may_have_changed(ada, bob):
    heard = []

    def receiver(user_ids, **kwargs):
        heard.extend(user_ids)

    audiences.membership_changed.connect(receiver)
    try:
        audiences.changed(ada, bob)
    finally:
        audiences.membership_changed.disconnect(receiver)

    assert heard == [ada.pk, bob.pk]
