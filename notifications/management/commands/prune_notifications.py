"""``manage.py prune_notifications``, daily."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import router
from django.db.models import Q

from notifications import clock
from notifications.conf import conf
from notifications.models import Notification

BATCH_SIZE = 1000


class Command(BaseCommand):
    help = (
        "Delete notifications published, and drafts written, more than "
        "NOTIFICATIONS_RETENTION_DAYS ago. What is still to come, or a broadcast "
        "with an expiry in the future, stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, help="Instead of the setting.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def handle(self, *args: Any, **options: Any) -> None:
        days = conf.RETENTION_DAYS if options["days"] is None else options["days"]
        if days < 0:
            raise CommandError(f"--days is {days}; it may not be negative.")
        now = clock.now()
        cutoff = now - timedelta(days=days)
        rows = Notification.objects.using(router.db_for_write(Notification))
        old = rows.filter(
            Q(publish_at__lt=cutoff) | Q(publish_at=None, created_at__lt=cutoff)
        ).exclude(recipient=None, expires_at__gt=now)
        if options["dry_run"]:
            self.stdout.write(f"{old.count()} notifications would be deleted.")
            return
        # In batches, so that no transaction holds the table for long.
        deleted = 0
        while pks := list(old.values_list("pk", flat=True)[:BATCH_SIZE]):
            # Asked again: an old draft may have been sent meanwhile.
            old.filter(pk__in=pks).delete()
            deleted += len(pks)
        self.stdout.write(f"Deleted {deleted} notifications.")
