"""
The app with one rule of its design broken: the scenarios must notice.

Each mutant breaks a rule by replacing as little of the app as it can; each
scenario runs on the app as it is too, so that neither can rot unnoticed.
"""

import pytest
from django.db import transaction

from notifications import clock, events, outbox, stream
from notifications.bus import bus
from notifications.events import Cursor, Event
from notifications.hub import hub
from notifications.models import Notification, NotificationQuerySet
from notifications.stream import Stream

from . import scenarios

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def stamped(notifications):
    """Stamp *notifications* here and now; return them."""
    now = clock.now()
    rows = Notification.objects.filter(pk__in=[row.pk for row in notifications])
    rows.update(announced_at=now)
    return list(rows)


def put_on_the_wire(rows):
    for message in outbox.messages(rows):
        bus.send("notifications", **message)


def stamp_before_commit(patch):
    def announce_on_commit(notifications):
        rows = stamped(notifications)
        transaction.on_commit(lambda: put_on_the_wire(rows), robust=True)

    patch.setattr(outbox, "announce_on_commit", announce_on_commit)


def send_before_commit(patch):
    def announce_on_commit(notifications):
        put_on_the_wire(stamped(notifications))

    patch.setattr(outbox, "announce_on_commit", announce_on_commit)


def replay_before_register(patch):
    read, register = hub.read, hub.register

    async def read_then_register(job):
        found = await read(job)
        opening = getattr(job, "__self__", None)
        if isinstance(opening, Stream):
            register(opening)
        return found

    patch.setattr(hub, "register", lambda opening: None)
    patch.setattr(hub, "read", read_then_register)


def let_ids_of_the_replay_go_backwards(patch):
    def latest(had, offered):
        return offered

    # What keeps them from it is the only max() in the module.
    patch.setattr(stream, "max", latest, raising=False)


def say_hello_with_the_head(patch):
    def make(name, data, cursor=None):
        if name == events.HELLO:
            cursor = Cursor.at(clock.now())
        return Event(name, data, cursor)

    patch.setattr(stream, "Event", make)


def announce_without_claiming(patch):
    patch.setattr(NotificationQuerySet, "select_for_update", lambda rows, **how: rows)


MUTANTS = [
    (stamp_before_commit, scenarios.commits_late_while_nobody_listens, "lost: .'A'"),
    (
        send_before_commit,
        scenarios.rolls_back_while_somebody_listens,
        "phantom: .'rolled back', 'savepoint'",
    ),
    (
        replay_before_register,
        scenarios.commits_during_the_replay,
        "lost: .'in the gap'",
    ),
    (
        let_ids_of_the_replay_go_backwards,
        scenarios.is_cut_again_and_again,
        "phantom: .*'230 s', '280 s'",
    ),
    (say_hello_with_the_head, scenarios.is_cut_in_mid_replay, "lost: .'0', '1'"),
    (announce_without_claiming, scenarios.is_announced_by_two_at_once, "repeated"),
]
SCENARIOS = [scenario for _, scenario, _ in MUTANTS]


@pytest.fixture
def play(ada, open_stream, wire, settings):
    """Return a coroutine function that runs a scenario."""

    async def play(scenario):
        if scenario is scenarios.commits_late_while_nobody_listens:
            # An overlap longer than the transaction would hide a wrong stamp.
            settings.NOTIFICATIONS_OVERLAP_SECONDS = 0
        await scenario(ada, open_stream, wire)

    return play


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__)
async def test_the_app_passes_each_scenario(scenario, play):
    await play(scenario)


@pytest.mark.parametrize(
    ("mutate", "scenario", "harm"), MUTANTS, ids=[one.__name__ for one, _, _ in MUTANTS]
)
async def test_each_mutant_fails_its_scenario(
    mutate, scenario, harm, play, monkeypatch
):
    with monkeypatch.context() as patch:
        mutate(patch)

        with pytest.raises(AssertionError, match=harm):
            await play(scenario)
