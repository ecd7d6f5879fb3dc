"""
Work that tells its user's open pages how it goes, in a thread of the web process.

That is enough for seconds of work that may end with the process. What must not be
lost belongs in a task queue; it calls ``send_event()`` and ``notify()`` as these do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections
from django.urls import reverse
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _

from notifications.api import notify, send_event
from notifications.constants import Level

from .texts import in_every_language

Job = Callable[[AbstractBaseUser], None]

running: set[tuple[Any, str]] = set()
lock = Lock()


def start(name: str, user: AbstractBaseUser) -> None:
    """
    Run the job called *name* for *user*, in the language that is active now.

    Nothing happens while it runs already: an impatient visitor would fill the
    process with threads.
    """
    key = (user.pk, name)
    with lock:
        if key in running:
            return
        running.add(key)
    # A daemon: Ctrl-C does not wait for it.
    Thread(target=run, args=[key, user, get_language()], name=name, daemon=True).start()


def run(key: tuple[Any, str], user: AbstractBaseUser, language: str | None) -> None:
    _pk, name = key
    try:
        with override(language):
            send_event(user, "status", {"job": name})
            JOBS[name](user)
            send_event(user, "complete", {"job": name})
    except Exception:
        send_event(user, "failed", {"job": name})
        raise  # to threading's hook, which prints it
    finally:
        with lock:
            running.discard(key)
        connections.close_all()  # this thread's; no request will


def export(user: AbstractBaseUser) -> None:
    """Make a spreadsheet of 200 orders, and say how far it is."""
    for percent in range(0, 101, 4):
        send_event(user, "progress", {"job": "export", "value": percent})
        time.sleep(0.15)
    notify(
        user,
        **in_every_language(
            _("Your export is ready"), _("200 orders of this month, as a spreadsheet.")
        ),
        url=reverse("workshop"),
        level=Level.SUCCESS,
        category="orders",
    )


def roast(user: AbstractBaseUser) -> None:
    """Roast a batch of coffee, and log what the roaster says."""
    for line in ROASTER.splitlines():
        send_event(user, "log", {"job": "roast", "line": line})
        time.sleep(0.45)
    notify(
        user,
        **in_every_language(
            _("Batch 319 is roasted"), _("Let it rest for a day before cupping.")
        ),
        url=reverse("workshop"),
        level=Level.SUCCESS,
        category="roasting",
    )


def ask(user: AbstractBaseUser) -> None:
    """Answer as a language model does, word by word. (This one is a text.)"""
    for word in re.findall(r"\s*\S+", gettext(ANSWER)):
        send_event(user, "token", {"job": "ask", "text": word})
        time.sleep(0.07)


JOBS: dict[str, Job] = {"export": export, "roast": roast, "ask": ask}

# What the roaster says, as machines do: in English only.
ROASTER = """\
00:00  200 °C  charge, 12 kg
01:20   94 °C  turning point
04:45  152 °C  yellow
07:50  186 °C  brown, gas 60 %
09:10  197 °C  first crack
10:05  203 °C  end of first crack
10:35  206 °C  drop
10:36          cooling
14:00   31 °C  done, 10.3 kg"""

ANSWER = _(
    "With this batch, start at 18 grams to 300 of water just off the boil. Pour 50, "
    "wait half a minute, then pour the rest slowly, in circles. It should take about "
    "three minutes. If it tastes sharp, grind a little finer; if it tastes flat, a "
    "little coarser. And drink it while it is warm."
)
