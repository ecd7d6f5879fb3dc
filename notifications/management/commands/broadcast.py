"""``manage.py broadcast "Maintenance at 8" --audience staff``"""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifications import audiences, clock
from notifications.api import broadcast
from notifications.broadcasts import members
from notifications.constants import LARGE_AUDIENCE, Placement
from notifications.exceptions import NotificationsError
from notifications.forms import is_about
from notifications.management.content import (
    add_content,
    content,
    find_user,
    wait_until_sent,
)


class Command(BaseCommand):
    help = "Tell an audience something: one row, however many it reaches."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_content(parser)
        parser.add_argument(
            "--audience",
            default=audiences.EVERYONE,
            help="everyone (the default), staff, group:<pk>, users, or your own.",
        )
        parser.add_argument(
            "--users",
            nargs="+",
            default=[],
            help="Whom the audience users consists of.",
        )
        parser.add_argument(
            "--placement",
            default=Placement.TOAST.value,
            choices=Placement.values,
            help="Where it is shown.",
        )
        parser.add_argument(
            "--not-dismissible",
            dest="dismissible",
            action="store_false",
            help="Users may not put it away; it has to expire.",
        )
        parser.add_argument(
            "--translations",
            type=_translations,
            help='As JSON: {"de": {"title": "…", "body": "…"}}.',
        )
        parser.add_argument(
            "--size",
            type=int,
            help=f"How many it reaches, to be given above {LARGE_AUDIENCE:,}.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        audience, users = options["audience"], options["users"]
        chosen = [find_user(name) for name in users] or None
        _check_moment(options["publish_at"])
        try:
            size = members(audience, [user.pk for user in chosen or []]).count()
            self._check_size(size, options["size"])
            row = broadcast(
                options["title"],
                audience=audience,
                users=chosen,
                placement=options["placement"],
                dismissible=options["dismissible"],
                translations=options["translations"],
                **content(options),
            )
        except NotificationsError as error:
            raise CommandError(error) from error
        wait_until_sent()
        self.stdout.write(f"Broadcast {row.pk} to {audience}: {size} users now.")

    def _check_size(self, size: int, given: int | None) -> None:
        if given is None and size <= LARGE_AUDIENCE:
            return
        if given is None or not is_about(given, size):
            said = "" if given is None else f", not {given}"
            raise CommandError(
                f"This reaches {size} users{said}. If that is right, add --size {size}."
            )


def _check_moment(publish_at: datetime | None) -> None:
    if publish_at is not None and publish_at <= (now := clock.now()):
        raise CommandError(
            f"--publish-at is {publish_at.isoformat()}, which lies in the past: it is "
            f"{now.isoformat(timespec='seconds')}. Give a moment to come, or leave "
            "it out to publish now."
        )


def _translations(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not JSON: {error}.") from None
