"""The options that the commands notify and broadcast share."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.forms.utils import from_current_timezone
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from notifications import categories
from notifications.bus import bus
from notifications.constants import Level

SEND_SECONDS = 5.0


def add_content(parser: ArgumentParser) -> None:
    parser.add_argument("title", help="What they read; at most 200 characters.")
    parser.add_argument("--body", default="", help="More text.")
    parser.add_argument("--url", default="", help="Where a click leads.")
    parser.add_argument(
        "--level",
        default="info",
        choices=[level.name.lower() for level in Level],
        help="How serious it is.",
    )
    parser.add_argument("--category", default=categories.GENERAL, help="A slug.")
    parser.add_argument("--dedupe-key", help="Say the same thing only once.")
    parser.add_argument(
        "--publish-at", type=_moment, help="When: ISO 8601, now if omitted."
    )
    parser.add_argument("--expires-at", type=_moment, help="Until when: ISO 8601.")


def wait_until_sent() -> None:
    """
    Wait until what the command said has left for open pages.

    Longer than the second that any process waits when it ends: on a busy machine
    connecting to Redis alone may take that. No longer than a failure takes.
    """
    bus.flush(SEND_SECONDS)


def content(options: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments for notify() or broadcast()."""
    names = ("body", "url", "category", "dedupe_key", "publish_at", "expires_at")
    level = Level[options["level"].upper()]
    return {"level": level, **{name: options[name] for name in names}}


def find_user(name: str) -> Any:
    """
    Return the user called *name*.

    Raises:
        CommandError: There is none.
    """
    users = get_user_model()._default_manager
    try:
        return users.get_by_natural_key(name)
    except get_user_model().DoesNotExist:
        field = get_user_model().USERNAME_FIELD
        raise CommandError(f"No user has the {field} {name!r}.") from None


def _moment(text: str) -> datetime:
    """Parse ISO 8601; without an offset it is in the site's time zone."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is not a moment such as 2030-01-31T18:00.")
    if not settings.USE_TZ and timezone.is_aware(moment):
        return timezone.make_naive(moment)
    try:
        # As the fields of forms: an hour that a change of the clock left out, or
        # that there is twice, is none.
        aware: datetime = from_current_timezone(moment)
    except ValidationError as error:
        raise ArgumentTypeError(
            f"{' '.join(error.messages)} Give its offset from UTC, as in {text}+01:00."
        ) from None
    return aware
