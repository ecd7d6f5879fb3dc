"""Who may go on listening."""

from unittest.mock import Mock

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth import get_user_model, login, logout, user_logged_in
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError, transaction
from django.http import HttpRequest
from django.test.utils import isolate_apps

from notifications import audiences, revocation
from notifications.models import Notification
from notifications.outbox import announce
from notifications.stream import Stream

from .factories import has_field, log_in, make_notification
from .sse import names, parse, titles
from .streams import until_marked

pytestmark = pytest.mark.django_db(transaction=True)


def log_out(user, cookies):
    request = HttpRequest()
    request.session = SessionStore(cookies["sessionid"])
    request.user = user
    logout(request)


def log_in_over(user, cookies):
    """Sign *user* in where somebody already is."""
    request = HttpRequest()
    request.COOKIES = cookies
    request.session = SessionStore(cookies["sessionid"])
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")


async def test_logging_out_ends_the_streams_of_that_session_alone(
    ada, open_stream, wire
):
    cookies = await sync_to_async(log_in)(ada)
    async with open_stream(cookies=cookies) as here, open_stream(ada) as elsewhere:
        await here.until("state")
        await elsewhere.until("state")
        await wire()

        await sync_to_async(log_out)(ada, cookies)
        events = await here.rest()

        assert names(events) == ["bye"]
        assert events[0].data == {"reason": "logout"}
        assert await until_marked(ada, elsewhere) == ["mark"]


async def test_a_new_password_ends_the_streams_of_the_old_one(ada, open_stream, wire):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        ada.set_password("another")
        await ada.asave()
        events = await stream.rest()

    assert names(events) == ["bye"]


async def test_deactivating_a_user_ends_their_streams(ada, bob, open_stream, wire):
    if not has_field("is_active"):
        pytest.skip("This user model has no such flag.")
    async with open_stream(ada) as stream, open_stream(bob) as of_bob:
        await stream.until("state")
        await of_bob.until("state")
        await wire()

        ada.is_active = False
        await ada.asave()
        events = await stream.rest()

        assert names(events) == ["bye"]
        assert await until_marked(bob, of_bob) == ["mark"]


@pytest.mark.parametrize("error", [OperationalError, ConnectionError])
async def test_streams_of_a_user_who_cannot_be_looked_up_end_and_may_come_back(
    error, ada, open_stream, wire, monkeypatch
):
    # The second is what a cache says that holds the sessions.
    authorise = Mock(side_effect=error("away"))
    async with open_stream(ada) as first, open_stream(ada) as second:
        await first.until("state")
        await second.until("state")
        await wire()
        monkeypatch.setattr(revocation, "authorise", authorise)

        ada.set_password("another")
        await ada.asave()

        for stream in (first, second):
            [bye] = await stream.rest()
            assert bye.data == {"reason": "expired"}


async def test_a_user_whose_audiences_cannot_be_told_keeps_nobody_from_the_end(
    ada, bob, open_stream, wire, monkeypatch
):
    async with open_stream(ada) as of_ada, open_stream(bob) as of_bob:
        await of_ada.until("state")
        await of_bob.until("state")
        await wire()
        monkeypatch.setattr(audiences, "keys_of", Mock(side_effect=LookupError("gone")))

        await sync_to_async(audiences.changed)(ada, bob)

        for stream in (of_ada, of_bob):
            [bye] = await stream.rest()
            assert bye.data == {"reason": "expired"}


@isolate_apps(get_user_model()._meta.app_config.name)
def test_whoever_saves_and_deletes_through_a_proxy_says_so(ada, sent, monkeypatch):
    meta = type("Meta", (), {"proxy": True, "app_label": ada._meta.app_label})
    proxy = type("Customer", (type(ada),), {"__module__": __name__, "Meta": meta})
    known = apps.get_models
    monkeypatch.setattr(apps, "get_models", lambda **kw: [*known(**kw), proxy])
    revocation.connect()
    customer, users = proxy._default_manager.get(pk=ada.pk), [str(ada.pk)]

    customer.save()
    customer.delete()

    assert sent == 2 * [{"kind": "recheck", "users": users}]


def test_who_may_listen_is_read_where_it_was_written(ada, settings):
    settings.DATABASE_ROUTERS = ["tests.routers.ReplicaThatIsAway"]

    user = revocation.authorise(ada.pk, None)

    assert user == ada
    assert "everyone" in audiences.keys_of(user)


async def test_who_signs_out_before_the_stream_begins_hears_nothing(
    ada, open_stream, wire
):
    cookies = await sync_to_async(log_in)(ada)
    stream = Stream(ada, session_key=cookies["sessionid"])
    await sync_to_async(log_out)(ada, cookies)

    events = parse(b"".join([chunk async for chunk in stream]))

    assert names(events) == ["bye"]
    assert events[0].data == {"reason": "revoked"}


def test_a_logout_in_a_transaction_is_told_again_when_it_is_valid(ada, sent):
    cookies = log_in(ada)

    with transaction.atomic():
        log_out(ada, cookies)
        assert len(sent) == 1  # what is open ends at once

    # What was opened until now ends now.
    assert sent == 2 * [{"kind": "logout", "session": sent[0]["session"]}]


async def test_deleting_a_user_ends_their_streams(ada, open_stream, wire):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        await ada.adelete()
        events = await stream.rest()

    assert names(events) == ["bye"]


async def test_a_login_ends_no_stream(ada, open_stream, wire):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        await sync_to_async(user_logged_in.send)(type(ada), request=None, user=ada)
        found = await until_marked(ada, stream)

    assert found == ["mark"]


async def test_a_login_over_somebody_else_ends_the_streams_of_their_session(
    ada, bob, open_stream, wire
):
    cookies = await sync_to_async(log_in)(ada)
    async with open_stream(cookies=cookies) as here, open_stream(ada) as elsewhere:
        await here.until("state")
        await elsewhere.until("state")
        await wire()

        await sync_to_async(log_in_over)(bob, cookies)
        events = await here.rest()

        assert names(events) == ["bye"]
        assert await until_marked(ada, elsewhere) == ["mark"]


async def test_a_login_over_oneself_ends_no_stream(ada, open_stream, wire):
    cookies = await sync_to_async(log_in)(ada)
    async with open_stream(cookies=cookies) as stream:
        await stream.until("state")
        await wire()

        await sync_to_async(log_in_over)(ada, cookies)

        assert await until_marked(ada, stream) == ["mark"]


async def test_who_is_staff_no_longer_has_nothing_more_of_what_is_for_staff(
    staff, open_stream, wire
):
    async with open_stream(staff) as stream:
        await stream.until("state")
        await wire()

        staff.is_staff = False
        await staff.asave()
        await stream.until_end_or("reset")
        if not stream.complete:
            await sync_to_async(make_notification)(
                "staff", "For staff", announced_at=None
            )
            await sync_to_async(announce)(Notification.objects.all())
            assert await until_marked(staff, stream) == ["mark"]


async def test_who_joins_a_group_has_what_is_for_the_group_from_then_on(
    ada, editors, open_stream, wire
):
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        await ada.groups.aadd(editors)
        events = await stream.until_end_or("reset")
        assert events[-1].name == "reset"

        await sync_to_async(make_notification)(
            f"group:{editors.pk}", "For editors", announced_at=None
        )
        await sync_to_async(announce)(Notification.objects.all())
        events = await stream.take(1, "notification")

    assert titles(events) == ["For editors"]
