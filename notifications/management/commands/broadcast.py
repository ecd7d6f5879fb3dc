"""``manage.py broadcast "Maintenance at 8" --audience staff``"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifications import audiences
from notifications.api import broadcast
from notifications.exceptions import NotificationsError
from notifications.management.content import add_content, content, wait_until_sent


class Command(BaseCommand):
    help = "Tell an audience something: one row, however many it reaches."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_content(parser)
        parser.add_argument(
            "--audience",
            default=audiences.EVERYONE,
            help="everyone (the default), staff, group:<pk>, or a project's own.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        audience = options["audience"]
        if audience == audiences.USERS:
            raise CommandError("To reach chosen users, use the command notify.")
        try:
            row = broadcast(options["title"], audience=audience, **content(options))
        except NotificationsError as error:
            raise CommandError(error) from error
        wait_until_sent()
        reached = audiences.get(audience).users().count()
        self.stdout.write(f"Broadcast {row.pk} to {audience}: {reached} users now.")
