"""What the tests of streams share."""

import threading
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from notifications.api import anotify
from notifications.events import Cursor

from .sse import titles

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def in_thread(function):
    """Run *function*, which uses the ORM, from within the event loop."""
    failures = []

    def run():
        try:
            function()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not failures


def now():
    return Cursor.at(timezone.now())


async def until_marked(ada, stream):
    """Return the titles up to a notification that is sent now."""
    await anotify(ada, "mark")
    while "mark" not in titles(stream.events):
        await stream.take(1, "notification")
    return titles(stream.events)
