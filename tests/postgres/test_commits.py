"""Ids are given out before commit: a smaller one may commit after a larger one."""

import asyncio
import signal
import subprocess
import sys

import pytest

from notifications.api import anotify, notify
from notifications.models import Notification
from tests.servers import ROOT, environment
from tests.sse import titles

from . import scenarios
from .threads import OpenTransaction

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("overlap", [0, 60])
@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.commits_late_while_nobody_listens,
        scenarios.commits_late_while_somebody_listens,
        scenarios.rolls_back_while_somebody_listens,
    ],
    ids=lambda scenario: scenario.__name__,
)
async def test_each_commit_arrives_once_whichever_came_first(
    scenario, overlap, ada, open_stream, wire, settings
):
    # Without the overlap too: it is not what makes up for long transactions.
    settings.NOTIFICATIONS_OVERLAP_SECONDS = overlap

    await scenario(ada, open_stream, wire)


async def test_a_cursor_of_ids_alone_loses_what_commits_late(ada):
    async with OpenTransaction(lambda: notify(ada, "A")) as slow:
        await anotify(ada, "B")
        cursor = await Notification.objects.alatest("pk")
        await slow.commit()

    assert await Notification.objects.acount() == 2
    assert not await Notification.objects.filter(pk__gt=cursor.pk).aexists()


KILLED = """
import os, signal, sys
import django
django.setup()
from django.contrib.auth import get_user_model
from django.db import transaction
from notifications.api import notify

with transaction.atomic():
    transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
    notify(get_user_model().objects.get(), "orphan")
"""


async def test_the_row_of_a_process_killed_between_commit_and_hook_arrives(
    ada, open_stream, wire, settings
):
    settings.NOTIFICATIONS_POLL_SECONDS = 0.3
    async with open_stream(ada) as stream:
        await stream.until("state")
        await wire()

        killed = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", KILLED],
            env=environment(),
            cwd=ROOT,
            timeout=30,
            check=False,
        )
        events = await stream.take(1, "notification")

    assert killed.returncode == -signal.SIGKILL
    assert titles(events) == ["orphan"]
