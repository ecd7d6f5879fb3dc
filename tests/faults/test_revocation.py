"""Who loses the right to listen stops hearing; who does not is left alone."""

from contextlib import ExitStack

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from notifications import audiences, clock, outbox
from notifications.api import broadcast, notify
from notifications.models import Notification
from tests.factories import has_field, log_in, make_user
from tests.servers import redis_layer
from tests.sse import Cut, SSEClient, names, titles
from tests.waiting import eventually

pytestmark = [pytest.mark.redis, pytest.mark.live, pytest.mark.faults]

# What DESIGN promises (S9) with the bus.
REVOKED_SECONDS = 2


@pytest.fixture
def server(redis_server, live_server_process, settings):
    settings.CHANNEL_LAYERS = redis_layer("pubsub", redis_server.url)
    return live_server_process(redis_url=redis_server.url, layer="pubsub")


@pytest.fixture
def connect(server):
    """Return a function that opens a stream of a user or of given cookies."""
    with ExitStack() as stack:

        def connect(user, cookies=None):
            client = SSEClient(
                f"{server.url}/notifications/stream/", cookies=cookies or log_in(user)
            )
            stack.enter_context(client)
            client.take(2)
            eventually(lambda: server.counts["healthy"])
            return client

        yield connect


def ends(client):
    """Wait for the end of a stream; return the reason it gave."""
    events = client.rest(within=REVOKED_SECONDS)
    assert events[-1].name == "bye"
    return events[-1].data["reason"]


def goes_on(client, user):
    notify(user, "still there")
    client.take(1, "notification", within=5)
    assert titles(client.events)[-1] == "still there"
    assert "bye" not in names(client.events)


def deactivate(user):
    user.is_active = False
    user.save()


def change_password(user):
    user.set_password("another")
    user.save()


@pytest.mark.parametrize(
    "change", [deactivate, change_password, lambda user: user.delete()],
    ids=["deactivated", "password", "deleted"],
)  # fmt: skip
def test_every_stream_ends_when_the_user_may_not_listen_any_more(
    change, ada, bob, connect
):
    streams = [connect(ada), connect(ada)]
    other = connect(bob)

    change(ada)

    assert [ends(stream) for stream in streams] == ["revoked", "revoked"]
    goes_on(other, bob)


def test_a_logout_ends_the_streams_of_that_session_and_of_no_other(ada, connect):
    phone, desktop = Client(), connect(ada)
    phone.cookies.load(log_in(ada))
    cookies = {name: morsel.value for name, morsel in phone.cookies.items()}
    on_phone = connect(ada, cookies)

    phone.logout()

    assert ends(on_phone) == "logout"
    goes_on(desktop, ada)


def test_a_login_ends_no_stream(ada, connect):
    desktop = connect(ada)

    Client().force_login(ada)  # saves last_login

    goes_on(desktop, ada)


def test_a_deleted_session_may_not_resume(ada, connect, server):
    cookies = log_in(ada)
    connect(ada, cookies)

    SessionStore(cookies["sessionid"]).delete()

    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=cookies) as again:
        assert again.status == 401


def test_without_a_bus_what_was_revoked_ends_within_one_stream_life(
    ada, live_server_process
):
    server = live_server_process(
        settings={"CHANNEL_LAYERS": {}, "NOTIFICATIONS_STREAM_SECONDS": 2}
    )
    cookies = log_in(ada)
    url = f"{server.url}/notifications/stream/"
    with SSEClient(url, cookies=cookies) as client:
        client.take(2)

        deactivate(ada)

        assert client.rest(within=5)[-1].data == {"reason": "expired"}
    with SSEClient(url, cookies=cookies) as again:
        assert again.status == 401


@pytest.mark.skipif(not has_field("groups"), reason="This user model has no groups.")
@pytest.mark.parametrize(
    ("join", "leave"),
    [
        (lambda user, group: user.groups.add(group),
         lambda user, group: user.groups.remove(group)),
        (lambda user, group: group.user_set.add(user),
         lambda user, group: group.user_set.clear()),
    ],
    ids=["user", "group"],
)  # fmt: skip
def test_who_joins_and_leaves_a_group_hears_its_broadcasts_meanwhile(
    join, leave, ada, bob, editors, connect
):
    key = f"group:{editors.pk}"
    bob.groups.add(editors)
    stream, editor = connect(ada), connect(bob)

    broadcast("too early", audience=key)
    editor.take(1, "notification", within=5)  # who joins before that hears it, too
    join(ada, editors)
    stream.take(1, "reset", within=REVOKED_SECONDS)
    broadcast("heard", audience=key)
    stream.take(1, "notification", within=5)
    leave(ada, editors)
    stream.take(1, "reset", within=REVOKED_SECONDS)
    broadcast("too late", audience=key)
    goes_on(stream, ada)

    assert titles(stream.events) == ["heard", "still there"]


@pytest.mark.skipif(not has_field("is_staff"), reason="This user model has no staff.")
def test_a_lost_staff_flag_ends_hearing_what_is_for_staff(connect, staff):
    stream = connect(staff)
    broadcast("heard", audience="staff")
    stream.take(1, "notification", within=5)

    staff.is_staff = False
    staff.save()
    stream.take(1, "reset", within=REVOKED_SECONDS)
    broadcast("not heard", audience="staff")
    goes_on(stream, staff)

    assert titles(stream.events) == ["heard", "still there"]


@pytest.mark.skipif(not has_field("is_staff"), reason="This user model has no staff.")
def test_an_update_that_sends_no_signal_is_noticed_when_told(connect, staff):
    stream = connect(staff)

    type(staff)._default_manager.filter(pk=staff.pk).update(is_staff=False)
    audiences.changed(staff)

    stream.take(1, "reset", within=REVOKED_SECONDS)
    broadcast("not heard", audience="staff")
    goes_on(stream, staff)


def test_a_chosen_user_hears_it_and_nobody_else_does(ada, bob, connect):
    chosen, other = connect(ada), connect(bob)

    broadcast("for ada", audience="users", users=[ada])

    chosen.take(1, "notification", within=5)
    goes_on(other, bob)
    assert titles(other.events) == ["still there"]


def test_what_is_recalled_leaves_open_pages_within_two_seconds(ada, connect):
    stream = connect(ada)
    [row] = notify(ada, "a mistake")
    stream.take(1, "notification", within=5)

    Notification.objects.filter(pk=row.pk).update(expires_at=clock.now())
    outbox.poke_on_commit()

    [removed] = stream.take(1, "removed", within=2)
    assert removed.data == {"ids": [row.pk]}


def test_a_stream_without_rights_gets_no_answer_at_all(server):
    user = make_user("gone", is_active=False) if has_field("is_active") else None
    cookies = log_in(user) if user else None

    with SSEClient(f"{server.url}/notifications/stream/", cookies=cookies) as client:
        assert client.status == 401
        with pytest.raises(Cut):
            client.take(1, within=1)
