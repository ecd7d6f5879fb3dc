"""Notify users from their own list in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import IntegrityError, router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import audiences, broadcasts
from notifications.exceptions import InvalidNotification
from notifications.forms import NotifyForm, SizeForm
from notifications.models import Broadcast
from notifications.views.answers import signed_in

from . import reach

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as Base
else:
    Base = object


class NotifyUsersMixin(Base):
    """
    Adds "Notify selected users…" to the admin of a user model.

    ``class UserAdmin(NotifyUsersMixin, auth.admin.UserAdmin)``; one with actions of
    its own lists ``*NotifyUsersMixin.actions`` among them. What is sent is a
    broadcast to chosen users, so it can be corrected, recalled and counted as any
    other. For who may send broadcasts.
    """

    actions = ("notify_selected_users",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whether the user may send broadcasts."""
        return request.user.has_perm("live_notifications.send_broadcast")

    @admin.action(description=_("Notify selected users…"), permissions=["send"])
    def notify_selected_users(
        self, request: HttpRequest, queryset: QuerySet
    ) -> HttpResponse | None:
        """Ask what to say, and send it to the users in *queryset*."""
        chosen = queryset.order_by().values("pk")
        users = broadcasts.members(audiences.USERS, chosen)
        data = request.POST if "form_key" in request.POST else None
        form = NotifyForm(data)
        size_form = SizeForm(data, size=users.count())
        if data and form.is_valid() and size_form.is_valid():
            return self._notify(request, form, queryset)
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Notify selected users"),
            "opts": self.opts,
            "forms": [form, size_form],
            "media": self.media + form.media,
            "reach": reach.describe(audiences.USERS, users),
            "checkbox": ACTION_CHECKBOX_NAME,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "has_view_permission": self.has_view_permission(request),
        }
        return TemplateResponse(
            request, "admin/live_notifications/notify_users.html", context
        )

    def _notify(
        self, request: HttpRequest, form: NotifyForm, queryset: QuerySet
    ) -> HttpResponse:
        broadcast: Broadcast = form.save(commit=False)
        broadcast.audience = audiences.USERS
        broadcast.created_by_id = request.user.pk
        key = form.cleaned_data["form_key"] or None
        broadcast.dedupe_key = key
        try:
            with transaction.atomic(using=router.db_for_write(Broadcast)):
                broadcast.save()
                chosen = queryset.order_by().values_list("pk", flat=True)
                broadcasts.choose(broadcast, list(chosen))
                broadcasts.publish(broadcast, by=signed_in(request))
                sent = reach.of(broadcast)
                self.log_addition(request, broadcast, sent)
        except InvalidNotification as error:
            self.message_user(request, str(error), messages.ERROR)
        except IntegrityError:
            if not key or not Broadcast.objects.filter(dedupe_key=key).exists():
                raise
            text = gettext("“%(title)s” was sent already; once is enough.")
            self.message_user(request, text % {"title": broadcast}, messages.WARNING)
        else:
            text = gettext("Sent. %(reach)s") % {"reach": sent}
            self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(request.get_full_path())
