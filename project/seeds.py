"""What the demo's accounts find in their inbox at the first look."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.api import broadcast, notify
from notifications.constants import Level, Placement
from notifications.inbox import Inbox
from notifications.models import Notification

from .texts import in_every_language


@dataclass(frozen=True)
class Seed:
    """A notification, and how long ago it was."""

    age: timedelta
    title: Promise
    body: Promise
    level: Level
    category: str
    by_colleague: bool = False
    is_read: bool = False


JOINED = timedelta(days=30)
"""How long the accounts have been there: users see no broadcast from before."""
WELCOME_AGE = timedelta(days=6)
SEEDS = [
    Seed(
        timedelta(minutes=4),
        _("Could you taste the autumn blend?"),
        _("The new sample is on your desk. I would like to decide before Friday."),
        Level.INFO,
        "team",
        by_colleague=True,
    ),
    Seed(
        timedelta(minutes=35),
        _("Order 1042 was paid"),
        _("Café Lumen, 24 bags of Harbour Espresso."),
        Level.SUCCESS,
        "orders",
    ),
    Seed(
        timedelta(hours=2),
        _("Roaster 2 is running hot"),
        _("228 °C, which is six degrees above its usual curve."),
        Level.WARNING,
        "roasting",
    ),
    Seed(
        timedelta(days=1, hours=1),
        _("A delivery could not be made"),
        _("Order 1037: nobody was at the door. The courier tries again tomorrow."),
        Level.ERROR,
        "orders",
        is_read=True,
    ),
    Seed(
        timedelta(days=1, hours=3),
        _("The cupping notes are yours, too"),
        _("I shared them with you. Add what I missed."),
        Level.INFO,
        "team",
        by_colleague=True,
        is_read=True,
    ),
    Seed(
        timedelta(days=3),
        _("Batch 318 may be shipped"),
        _("It has rested for two days."),
        Level.SUCCESS,
        "roasting",
        is_read=True,
    ),
]


def seed(user: AbstractBaseUser, colleague: AbstractBaseUser) -> None:
    """Fill the inbox of *user*. A second time changes nothing but what is unread."""
    now = timezone.now()
    read = [welcome().pk]
    for number, each in enumerate(SEEDS):
        stored = notify(
            user,
            **in_every_language(each.title, each.body),
            url="/workshop/" if each.category == "roasting" else "",
            level=each.level,
            category=each.category,
            actor=colleague if each.by_colleague else None,
            publish_at=now - each.age,
            dedupe_key=f"seed-{number}",
        )
        if each.is_read:
            read += [notification.pk for notification in stored]
    Inbox(user).mark_read(read)


def welcome() -> Notification:
    """Greet everyone: one row, however many they are and however often this runs."""
    return broadcast(
        **in_every_language(
            _("Welcome to Harbour"),
            _("What you should know arrives here, while you watch."),
        ),
        placement=Placement.INBOX,
        publish_at=timezone.now() - WELCOME_AGE,
        dedupe_key="welcome",
    )
