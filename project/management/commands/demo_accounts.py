"""Create the accounts that the demo's pages speak of."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

ACCOUNTS = {
    "alice": {},
    "bob": {},
    "admin": {"is_staff": True, "is_superuser": True},
}
"""Fields by user name; the password is the user name."""


class Command(BaseCommand):
    help = (
        "Create alice, bob and the superuser admin, each with their name as password. "
        "Accounts that exist are left as they are."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "Everybody knows these passwords, so the demo's accounts are only "
                "created with DEBUG on."
            )
        users = get_user_model().objects
        for username, fields in ACCOUNTS.items():
            if users.filter(username=username).exists():
                continue
            users.create_user(username=username, password=username, **fields)
            self.stdout.write(f"Created {username}.")
