"""The admin: look at notifications, write and publish broadcasts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.widgets import ManyToManyRawIdWidget
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from . import audiences, outbox
from .exceptions import UnknownAudience
from .forms import BroadcastForm
from .models import Broadcast, Notification


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
        broadcasts_only |= {"delivered_count", "created_by", "users"}
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


@admin.register(Broadcast)
class BroadcastAdmin(admin.ModelAdmin):
    """Compose a broadcast as a draft, publish it once; read-only from then on."""

    form = BroadcastForm
    list_display = ("title", "audience_label", "status", "level", "publish_at")
    list_filter = ("level", "category", "audience", "publish_at")
    search_fields = ("title", "body")
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("title", "body", "url", "level", "category")}),
        (_("Audience"), {"fields": ("audience", "users")}),
        (
            _("How it is shown"),
            {"fields": ("placement", "dismissible", "expires_at", "form_key")},
        ),
    )

    @admin.display(description=_("Audience"), ordering="audience")
    def audience_label(self, broadcast: Broadcast) -> str:
        try:
            return str(audiences.get(broadcast.audience).label)
        except UnknownAudience:
            return broadcast.audience

    @admin.display(description=_("Status"))
    def status(self, broadcast: Broadcast) -> str:
        if broadcast.publish_at is None:
            return gettext("Draft")
        return gettext("Published")

    def get_fieldsets(
        self, request: HttpRequest, obj: Broadcast | None = None
    ) -> list[Any]:
        # The key is for the form that adds, where a second click adds again.
        fieldsets: list[Any] = [(name, {**rest}) for name, rest in self.fieldsets]
        if obj is not None:
            *others, last = fieldsets
            last[1]["fields"] = ("placement", "dismissible", "expires_at")
            if obj.publish_at is not None:
                others[1][1]["fields"] = ("audience_label", "users")
                last[1]["fields"] += ("publish_at", "announced_at", "created_by")
        return fieldsets

    def get_readonly_fields(
        self, request: HttpRequest, obj: Broadcast | None = None
    ) -> tuple[str, ...]:
        return ("audience_label", "publish_at", "announced_at", "created_by")

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("users",) if self._users_can_be_searched() else ()

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if not self._users_can_be_searched():
            # Ids in a text field: a list of a million users would not load.
            kwargs["widget"] = ManyToManyRawIdWidget(
                db_field.remote_field, self.admin_site
            )
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _users_can_be_searched(self) -> bool:
        users = self.admin_site._registry.get(get_user_model())
        return bool(users and users.search_fields)

    def has_change_permission(
        self, request: HttpRequest, obj: Broadcast | None = None
    ) -> bool:
        if obj is not None and obj.publish_at is not None:
            return False
        return super().has_change_permission(request, obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST" and object_id:
            draft = self.get_object(request, object_id)
            if draft is not None and draft.publish_at is not None:
                return self._already_published(request, draft)
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError:
            key = request.POST.get("form_key")
            first = Broadcast.objects.filter(dedupe_key=key).first() if key else None
            if first is None:
                raise
            return self._already_published(request, first)

    def _already_published(
        self, request: HttpRequest, broadcast: Broadcast
    ) -> HttpResponse:
        text = gettext("“%(title)s” was saved or published already; once is enough.")
        self.message_user(request, text % {"title": broadcast}, messages.WARNING)
        return HttpResponseRedirect(
            reverse(f"{self.admin_site.name}:live_notifications_broadcast_changelist")
        )

    def save_model(
        self, request: HttpRequest, obj: Broadcast, form: ModelForm, change: bool
    ) -> None:
        if not change:
            obj.created_by_id = request.user.pk
            obj.dedupe_key = form.cleaned_data.get("form_key") or None
        super().save_model(request, obj, form, change)

    def save_related(
        self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if "_publish" not in request.POST:
            return
        # Last, when the chosen users are stored too.
        broadcast = form.instance
        if outbox.publish(broadcast):
            text = gettext("Published to: %(audience)s.")
            audience = self.audience_label(broadcast)
            self.message_user(request, text % {"audience": audience}, messages.SUCCESS)
        else:
            text = gettext("Somebody else had published it already; once is enough.")
            self.message_user(request, text, messages.WARNING)
