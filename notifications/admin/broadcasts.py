"""Broadcasts in the admin: a draft, what is scheduled, what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import ManyToManyRawIdWidget
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import audiences, broadcasts, clock
from notifications.broadcasts import Status
from notifications.forms import BroadcastForm, CorrectionForm, ExpiryForm
from notifications.models import Broadcast
from notifications.views.answers import signed_in

from . import deletion, reach, sending
from .actions import FIELD, IS_NATIVE, ActionsMixin
from .preview import preview
from .sending import SendingMixin

CONTENT = ("title", "body", "url", "level", "category")
SENT = ("publish_at", "announced_at", "created_by", "published_by")
# Each of whom is a field of the form that is posted; Django takes 1,000 fields.
MOST_SEARCHED: Final = 500


class AlreadySent(Exception):
    """Somebody else was faster: the draft that was to be saved is none any more."""


class Changed(Exception):
    """Somebody else was faster: what was to be changed is not shown any more."""


class IdsWidget(ManyToManyRawIdWidget):
    """The ids of users in one text field, however many they are."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        # The page may be of when they were few, each with a field of their own.
        return [pk for text in data.getlist(name) for pk in text.split(",") if pk]


class StatusFilter(admin.SimpleListFilter):
    """Drafts, scheduled, sent, over."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        return [(status.value, status.label) for status in Status]

    def queryset(self, request: Any, queryset: QuerySet) -> QuerySet:
        chosen = [status for status in Status if status == self.value()]
        return queryset.filter(*(status.condition(clock.now()) for status in chosen))


class BroadcastAdminMixin(ActionsMixin, SendingMixin):
    """
    All of ``BroadcastAdmin`` but its base, to be put before another ModelAdmin.

    ``class MyAdmin(BroadcastAdminMixin, unfold.admin.ModelAdmin)``, registered in
    place of the app's own.
    """

    form: Any = BroadcastForm
    list_display = ("title", "audience_label", "status", "level", "publish_at")
    list_filter = (StatusFilter, "level", "category", "audience", "publish_at")
    search_fields = ("title", "body")
    search_help_text = _("Title or text.")
    ordering = ("-id",)

    class Media:
        css = {"all": ["notifications/css/notifications.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Broadcast]:
        return super().get_queryset(request).filter(is_test=False)

    # What it shows

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist = super().get_changelist_instance(request)
        self._ask_the_clock_once(changelist.result_list)
        labels = dict(audiences.choices())
        for row in changelist.result_list:
            vars(row)["label_when_asked"] = labels.get(row.audience, row.audience)
        return changelist

    def _ask_the_clock_once(self, rows: Iterable[Broadcast]) -> None:
        """Let _status() know, which would ask it for each of *rows*."""
        now = clock.now()
        for row in rows:
            self._status(row, now)

    @admin.display(description=_("Audience"), ordering="audience")
    def audience_label(self, broadcast: Broadcast) -> str:
        label = vars(broadcast).get("label_when_asked")
        return str(label or reach.label(broadcast.audience))

    @admin.display(description=_("Status"), ordering="publish_at")
    def status(self, broadcast: Broadcast) -> str:
        status = self._status(broadcast)
        return format_html(
            '<span class="notification-status" data-status="{}">{}</span>',
            status.value,
            status.label,
        )

    @admin.display(description=_("Whom it reaches"))
    def reach(self, broadcast: Broadcast) -> str:
        if not broadcast._state.adding:
            text = reach.of(broadcast)
        elif broadcast.audience == audiences.USERS:
            text = reach.label(audiences.USERS)  # who they are is not kept yet
        else:
            # A form that was refused comes back with the audience it had.
            key = broadcast.audience or audiences.EVERYONE
            text = reach.describe(key, broadcasts.members(key))
        return format_html(
            '<span role="status" data-reach="{}">{}</span>', self.url_to("reach"), text
        )

    # Which form it has when

    def _is_correcting(self, request: HttpRequest, broadcast: Broadcast | None) -> bool:
        return "correct" in request.GET and self._status(broadcast) == Status.SENT

    def get_form(
        self,
        request: HttpRequest,
        obj: Broadcast | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        if self._is_correcting(request, obj):
            kwargs["form"] = CorrectionForm
        elif self._status(obj) != Status.DRAFT:
            kwargs["form"] = ExpiryForm
        elif self._has_many_users(obj):
            widgets = self.form._meta.widgets or {}
            kwargs["widgets"] = {**widgets, "users": self._ids_widget()}
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(
        self, request: HttpRequest, obj: Broadcast | None = None
    ) -> list[Any]:
        is_draft = self._status(obj) == Status.DRAFT
        translations = {"fields": ("translations",), "classes": ("collapse",)}
        audience = ("audience", "users", "reach")
        shown: tuple[str, ...] = ("placement", "dismissible", "expires_at")
        if obj is None:
            # For the form that adds, where a second click would add again.
            shown += ("form_key",)
        fieldsets: list[Any] = [
            (None, {"fields": CONTENT}),
            (_("Translations"), translations),
            (_("Audience"), {"fields": audience if is_draft else ("reach",)}),
            (_("How it is shown"), {"fields": shown}),
        ]
        if not is_draft:
            fieldsets.append((_("How it was sent"), {"fields": SENT}))
        return fieldsets

    def get_readonly_fields(
        self, request: HttpRequest, obj: Broadcast | None = None
    ) -> tuple[str, ...]:
        always = ("reach", *SENT)
        if self._status(obj) == Status.DRAFT:
            return always
        fixed = (*always, "placement", "dismissible")
        if self._is_correcting(request, obj):
            return fixed
        return (*fixed, *CONTENT, "translations")

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("users",) if self._users_can_be_searched() else ()

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if not self._users_can_be_searched():
            # A list of a million users to choose from would not load.
            kwargs["widget"] = self._ids_widget()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _users_can_be_searched(self) -> bool:
        users = self.admin_site._registry.get(get_user_model())
        return bool(users and users.search_fields)

    def _has_many_users(self, draft: Broadcast | None) -> bool:
        return (
            draft is not None
            and draft.audience == audiences.USERS
            and draft.users.count() > MOST_SEARCHED
        )

    def _ids_widget(self) -> IdsWidget:
        relation: Any = self.opts.get_field("users").remote_field
        return IdsWidget(relation, self.admin_site)

    # Who may

    def has_change_permission(
        self, request: HttpRequest, obj: Broadcast | None = None
    ) -> bool:
        may = super().has_change_permission(request, obj)
        if obj is None or self._status(obj) == Status.DRAFT:
            return may
        # What everybody sees is changed by who may send; what is over by nobody.
        return self._status(obj) == Status.SENT and self.has_send_permission(
            request, obj
        )

    def has_delete_permission(
        self, request: HttpRequest, obj: Broadcast | None = None
    ) -> bool:
        # What is shown is recalled, which pages hear of; a deletion they do not.
        if obj is not None and self._status(obj) in {Status.SCHEDULED, Status.SENT}:
            return False
        return super().has_delete_permission(request, obj)

    def get_deleted_objects(
        self, objs: Sequence[Broadcast] | QuerySet[Broadcast], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        rows = list(objs)
        self._ask_the_clock_once(rows)
        return deletion.get_deleted_objects(rows, request, self.admin_site)

    # What happens

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST" and object_id:
            if answer := self._answer_late(request, object_id):
                return answer
            if FIELD in request.POST and not IS_NATIVE:
                answer = self.run_action(request, object_id)
                return answer or HttpResponseRedirect(request.get_full_path())
        if "_send" in request.POST and not self.has_send_permission(request):
            raise PermissionDenied
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except AlreadySent as error:
            return self.already_sent(request, error.args[0])
        except Changed as error:
            return self.no_longer(request, error.args[0])
        except IntegrityError:
            key = request.POST.get("form_key")
            first = Broadcast.objects.filter(dedupe_key=key).first() if key else None
            if first is None:
                raise
            return self._already_added(request, first)

    def _answer_late(self, request: HttpRequest, object_id: str) -> HttpResponse | None:
        """Answer a form that comes back when the broadcast is not what it was."""
        broadcast = self.get_object(request, unquote(object_id))
        if broadcast is None or FIELD in request.POST:
            return None
        if not self.has_view_or_change_permission(request, broadcast):
            raise PermissionDenied
        if "audience" in request.POST and broadcast.publish_at is not None:
            return self.already_sent(request, broadcast)
        status = self._status(broadcast)
        is_other = (
            status == Status.SENT
            and self.has_change_permission(request, broadcast)
            and not self._is_as_seen(request, broadcast)
        )
        if is_other or status in {Status.SCHEDULED, Status.OVER}:
            return self.no_longer(request, broadcast)
        return None

    def _already_added(self, request: HttpRequest, first: Broadcast) -> HttpResponse:
        if "_send" in request.POST and first.publish_at is None:
            return HttpResponseRedirect(self.url_to("send", first))
        text = gettext("“%(title)s” was saved already; once is enough.")
        self.message_user(request, text % {"title": first}, messages.WARNING)
        return HttpResponseRedirect(self.url_to("change", first))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Broadcast | None = None,
    ) -> HttpResponse:
        status = self._status(obj)
        context |= {
            "status": status.value,
            "status_label": status.label if obj else "",
            "is_correcting": self._is_correcting(request, obj),
            "can_send": self.has_send_permission(request, obj),
            "object_actions": self.actions_for(request, obj) if obj else [],
            "actions_are_native": IS_NATIVE,
            "preview": preview(obj),
        }
        if obj and status == Status.SENT:
            context["fingerprint"] = broadcasts.fingerprint(obj)
        if obj and status in {Status.SENT, Status.OVER}:
            context["numbers"] = sending.numbers(obj)
            context["numbers_url"] = self.url_to("numbers", obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(
        self, request: HttpRequest, obj: Broadcast, form: ModelForm, change: bool
    ) -> None:
        if not change:
            obj.created_by_id = request.user.pk
            obj.dedupe_key = form.cleaned_data.get("form_key") or None
        elif isinstance(form, BroadcastForm):
            # Locked until it is saved, or a draft that was sent meanwhile would be
            # saved as a draft.
            drafts = Broadcast.objects.select_for_update().filter(publish_at=None)
            if not drafts.filter(pk=obj.pk).exists():
                raise AlreadySent(obj)
        else:
            self._change_sent(request, obj, form)
            return
        super().save_model(request, obj, form, change)

    def _change_sent(
        self, request: HttpRequest, obj: Broadcast, form: ModelForm
    ) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        if not changes:
            return
        if not self._is_as_seen(request, self._locked(obj)):
            raise Changed(obj)  # by somebody else: theirs would be undone
        if changes.keys() == {"expires_at"}:
            is_done = broadcasts.change_expiry(obj, changes["expires_at"])
        else:
            is_done = broadcasts.correct(obj, **changes)
        if not is_done:
            raise Changed(obj)

    def response_add(
        self, request: HttpRequest, obj: Broadcast, post_url_continue: Any = None
    ) -> HttpResponse:
        return self._response(request, obj) or super().response_add(
            request, obj, post_url_continue
        )

    def response_change(self, request: HttpRequest, obj: Broadcast) -> HttpResponse:
        return self._response(request, obj) or super().response_change(request, obj)

    def _response(self, request: HttpRequest, obj: Broadcast) -> HttpResponse | None:
        if "_send" in request.POST:
            return HttpResponseRedirect(self.url_to("send", obj))
        if "_test" in request.POST:
            broadcasts.send_test(obj, signed_in(request))
            text = gettext("The draft is saved, and a test is on its way to you.")
            self.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(self.url_to("change", obj))
        return None


@admin.register(Broadcast)
class BroadcastAdmin(BroadcastAdminMixin, admin.ModelAdmin):
    """Compose a broadcast as a draft, send it once, and see what became of it."""
