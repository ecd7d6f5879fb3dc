"""Values that a row may hold. Plain data; imports nothing of the app."""

from __future__ import annotations

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _


class Level(IntegerChoices):
    """How serious a notification is, numbered as in ``django.contrib.messages``."""

    INFO = 20, _("Information")
    SUCCESS = 25, _("Success")
    WARNING = 30, _("Warning")
    ERROR = 40, _("Error")


class Placement(TextChoices):
    """Where a broadcast is shown."""

    INBOX = "inbox", _("Inbox")
    TOAST = "toast", _("Inbox and toast")
    BANNER = "banner", _("Banner")


TITLE_LENGTH = 200
URL_LENGTH = 2000
TARGET_ID_LENGTH = 255
KEY_LENGTH = 100

# Most rows stamped, put on the wire, or read by the sweep in one go.
BATCH_SIZE = 500
# Rows in one INSERT of notify(); Django splits smaller where a database must.
INSERT_SIZE = 1000
# Counts stop here: no query reads more rows than this, and the bell is called
# "Notifications, more than 999 unread".
COUNT_LIMIT = 1000
# There is no room for more than two digits: from here on the badge shows "99+".
BADGE_LIMIT = 100
# Whoever reaches more users than that says how many, in figures.
LARGE_AUDIENCE = 10_000
