"""``manage.py notify alice "Hello"``"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from notifications.api import notify
from notifications.exceptions import NotificationsError
from notifications.management.content import (
    add_content,
    content,
    find_user,
    wait_until_sent,
)


class Command(BaseCommand):
    help = "Notify users: stored, and shown at once on their open pages."

    def add_arguments(self, parser: ArgumentParser) -> None:
        field = get_user_model().USERNAME_FIELD
        parser.add_argument("users", nargs="+", help=f"Whom: by {field}.")
        add_content(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        users = [find_user(name) for name in options["users"]]
        try:
            stored = notify(users, options["title"], **content(options))
        except NotificationsError as error:
            raise CommandError(error) from error
        wait_until_sent()
        self.stdout.write(f"Notified {len(stored)}.")
