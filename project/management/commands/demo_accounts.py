"""Create the accounts that the demo's pages speak of."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from project import seeds

ACCOUNTS = {
    "alice": {},
    "bob": {},
    "admin": {"is_staff": True, "is_superuser": True},
}
"""Fields by user name; the password is the user name."""

COLLEAGUES = {"alice": "bob", "bob": "alice", "admin": "alice"}


class Command(BaseCommand):
    help = (
        "Create alice, bob and the superuser admin, each with their name as password "
        "and with something in their inbox. Accounts that exist are left as they are."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "Everybody knows these passwords, so the demo's accounts are only "
                "created with DEBUG on."
            )
        users = get_user_model().objects
        created = []
        for username, fields in ACCOUNTS.items():
            if users.filter(username=username).exists():
                continue
            user = users.create_user(
                username=username,
                password=username,
                date_joined=timezone.now() - seeds.JOINED,
                **fields,
            )
            created.append(user)
            self.stdout.write(f"Created {username}.")
        for user in created:
            colleague = users.get(username=COLLEAGUES[user.get_username()])
            seeds.seed(user, colleague)
