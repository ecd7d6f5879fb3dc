"""Personal notifications in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(admin.ModelAdmin):
    """Personal notifications: to look at, filter and search; not to edit."""

    list_display = (
        "title",
        "recipient",
        "level",
        "category",
        "publish_at",
        "announced_at",
        "read_at",
    )
    list_filter = ("level", "category", "publish_at", "read_at")
    list_select_related = ("recipient",)
    ordering = ("-id",)
    # Counting a table of millions for every page would be felt.
    show_full_result_count = False
    search_help_text = _("Title, text, or who received it.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        return super().get_queryset(request).filter(recipient__isnull=False)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("title", "body", f"recipient__{get_user_model().USERNAME_FIELD}")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Notification | None = None
    ) -> tuple[str, ...]:
        return tuple(field.name for field in self.opts.fields)

    def get_fields(
        self, request: HttpRequest, obj: Notification | None = None
    ) -> tuple[str, ...]:
        broadcasts_only = {"id", "audience", "placement", "dismissible", "is_test"}
        broadcasts_only |= {"delivered_count", "created_by", "published_by", "users"}
        return tuple(
            field.name
            for field in self.opts.fields
            if field.name not in broadcasts_only
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Notification | None = None
    ) -> bool:
        return False
