"""Somebody who may enter the admin, and what they fill in."""

import pytest
from django.contrib.auth.models import Permission

from tests.factories import has_field, make_user


def pytest_collection_modifyitems(items):
    reason = pytest.mark.skipif(
        not has_field("is_superuser"), reason="This user model cannot enter the admin."
    )
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(reason)


@pytest.fixture
def admin(client, db):
    user = make_user("admin", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def clerk(client, db):
    """Return a function that signs somebody in who has just the given permissions."""

    def clerk(*codenames, name="clerk"):
        user = make_user(name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return user

    return clerk


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """Return a context manager that runs what waits for a commit, at its end."""
    return lambda: django_capture_on_commit_callbacks(execute=True)
