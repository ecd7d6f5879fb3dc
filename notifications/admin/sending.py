"""The pages between a draft and what has been sent, and what scripts ask of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import router, transaction
from django.forms import Form
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from notifications import audiences, broadcasts, clock
from notifications.broadcasts import Status
from notifications.exceptions import InvalidNotification, UnknownAudience
from notifications.forms import MoveForm, SendForm
from notifications.models import Broadcast
from notifications.views.answers import forget_session, signed_in

from . import reach
from .preview import preview

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as Base
else:
    Base = object

MOST_CHOSEN = 1000
NUMBERS = ("audience", "delivered", "seen", "read", "dismissed")


class SendingMixin(Base):
    """Send and move a broadcast, and answer what its pages ask meanwhile."""

    def has_send_permission(
        self, request: HttpRequest, obj: Broadcast | None = None
    ) -> bool:
        """Whether the user may send drafts, and change what has been sent."""
        return request.user.has_perm(f"{self.opts.app_label}.send_broadcast")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        one, name = "<path:object_id>", self._url_name
        return [
            path("reach/", view(self.reach_view), name=name("reach")),
            path(f"{one}/send/", view(self.send_view), name=name("send")),
            path(f"{one}/move/", view(self.move_view), name=name("move")),
            path(f"{one}/numbers/", view(self.numbers_view), name=name("numbers")),
            *super().get_urls(),
        ]

    def url_to(self, name: str, broadcast: Broadcast | None = None) -> str:
        """Return the address of a page of this admin: ``send``, ``changelist``…"""
        return reverse(
            f"{self.admin_site.name}:{self._url_name(name)}",
            args=[broadcast.pk] if broadcast else [],
        )

    def _url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def _status(
        self, broadcast: Broadcast | None, now: datetime | None = None
    ) -> Status:
        """Return it as of when it was first asked: one page has one answer."""
        if broadcast is None:
            return Status.DRAFT
        known = vars(broadcast)
        if "status_when_asked" not in known:
            known["status_when_asked"] = broadcasts.status(
                broadcast, now or clock.now()
            )
        status: Status = known["status_when_asked"]
        return status

    # Sending

    def send_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show whom it reaches and how it looks, and ask for the last time."""
        draft = self._to_send(request, object_id)
        if self._status(draft) != Status.DRAFT:
            return self.already_sent(request, draft)
        try:
            size = broadcasts.reached(draft).count()
        except UnknownAudience:
            self.message_user(request, reach.of(draft), messages.ERROR)
            return HttpResponseRedirect(self.url_to("change", draft))
        if request.method == "POST" and not self._is_as_seen(request, draft):
            return self._changed(request, draft)
        form = SendForm(request.POST or None, size=size)
        if request.method == "POST" and form.is_valid():
            return self._send(request, draft, form.cleaned_data["at"], size)
        return self._ask(request, draft, form, gettext("Send"))

    def _send(
        self, request: HttpRequest, draft: Broadcast, at: datetime | None, size: int
    ) -> HttpResponse:
        words = {
            "audience": reach.label(draft.audience),
            "size": reach.grouped(size),
            "moment": _moment(at),
        }
        if at:
            text = gettext(
                "To be sent at %(moment)s. Audience: %(audience)s, %(size)s now."
            )
        else:
            text = gettext("Sent. Audience: %(audience)s, %(size)s.")
        try:
            with transaction.atomic(using=router.db_for_write(Broadcast)):
                draft = self._locked(draft)
                if draft.publish_at is None and not self._is_as_seen(request, draft):
                    return self._changed(request, draft)
                is_sent = broadcasts.publish(draft, at=at, by=signed_in(request))
                if is_sent:
                    self.log_change(request, draft, text % words)
        except InvalidNotification as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self.url_to("change", draft))
        if not is_sent:
            return self.already_sent(request, draft)
        self.message_user(request, text % words, messages.SUCCESS)
        return HttpResponseRedirect(self.url_to("change", draft))

    def _locked(self, broadcast: Broadcast) -> Broadcast:
        """Return it as it is now, and stays until the transaction ends."""
        rows = Broadcast.objects.select_for_update()
        locked: Broadcast | None = rows.filter(pk=broadcast.pk).first()
        if locked is None:
            raise Http404(gettext("There is no such broadcast."))
        return locked

    def _is_as_seen(self, request: HttpRequest, broadcast: Broadcast) -> bool:
        """Whether *broadcast* is what the page that was posted has shown."""
        return request.POST.get("fingerprint") == broadcasts.fingerprint(broadcast)

    def _changed(self, request: HttpRequest, draft: Broadcast) -> HttpResponse:
        """One writes and another sends: what was looked at is what goes out."""
        text = gettext("It was changed meanwhile. Look at it again.")
        self.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(self.url_to("send", draft))

    def already_sent(self, request: HttpRequest, broadcast: Broadcast) -> HttpResponse:
        """Say by whom, and when, and show what is there."""
        broadcast.refresh_from_db()
        words = {
            "title": broadcast,
            "who": broadcast.published_by or gettext("somebody else"),
            "moment": _moment(broadcast.publish_at),
        }
        if broadcasts.status(broadcast, clock.now()) == Status.SCHEDULED:
            text = gettext(
                "“%(title)s” was already scheduled by %(who)s, for %(moment)s. "
                "Nothing was changed."
            )
        else:
            text = gettext(
                "“%(title)s” was already sent by %(who)s, at %(moment)s. "
                "Nothing was changed."
            )
        self.message_user(request, text % words, messages.WARNING)
        return HttpResponseRedirect(self.url_to("change", broadcast))

    # Moving

    def move_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask when else a scheduled broadcast is to be sent."""
        scheduled = self._to_send(request, object_id)
        if self._status(scheduled) != Status.SCHEDULED:
            return self.no_longer(request, scheduled)
        form = MoveForm(request.POST or None, initial={"at": scheduled.publish_at})
        if request.method == "POST" and form.is_valid():
            return self._move(request, scheduled, form.cleaned_data["at"])
        return self._ask(request, scheduled, form, gettext("Move"))

    def _move(
        self, request: HttpRequest, scheduled: Broadcast, at: datetime
    ) -> HttpResponse:
        text = gettext("Moved to %(moment)s.") % {"moment": _moment(at)}
        try:
            with transaction.atomic(using=router.db_for_write(Broadcast)):
                is_moved = broadcasts.move(scheduled, at)
                if is_moved:
                    self.log_change(request, scheduled, text)
        except InvalidNotification as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self.url_to("move", scheduled))
        if not is_moved:
            return self.no_longer(request, scheduled)
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(self.url_to("change", scheduled))

    def no_longer(self, request: HttpRequest, broadcast: Broadcast) -> HttpResponse:
        """Say that it is too late for what was asked, and show what is there."""
        broadcast.refresh_from_db()
        status = broadcasts.status(broadcast, clock.now())
        text = gettext(
            "“%(title)s” has changed meanwhile: %(status)s. Nothing was done."
        )
        self.message_user(
            request,
            text % {"title": broadcast, "status": status.label},
            messages.WARNING,
        )
        return HttpResponseRedirect(self.url_to("change", broadcast))

    # What both pages are made of

    def _to_send(self, request: HttpRequest, object_id: str) -> Broadcast:
        if not self.has_send_permission(request):
            raise PermissionDenied
        broadcast: Broadcast | None = self.get_object(request, unquote(object_id))
        if broadcast is None:
            raise Http404(gettext("There is no such broadcast."))
        if not self.has_send_permission(request, broadcast):
            raise PermissionDenied
        return broadcast

    def _ask(
        self,
        request: HttpRequest,
        broadcast: Broadcast,
        form: Form,
        verb: str,
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb}: {broadcast}",
            "verb": verb,
            "opts": self.opts,
            "original": broadcast,
            "form": form,
            "fingerprint": broadcasts.fingerprint(broadcast),
            "media": self.media + form.media,
            "reach": reach.of(broadcast),
            "time_zone": timezone.get_current_timezone_name(),
            "preview": preview(broadcast),
            "back": self.url_to("change", broadcast),
            "has_view_permission": self.has_view_permission(request, broadcast),
        }
        return TemplateResponse(
            request, "admin/live_notifications/broadcast/send.html", context
        )

    # What scripts ask

    def reach_view(self, request: HttpRequest) -> HttpResponse:
        """Return ``{"text"}``: whom ``audience=`` (with ``users=``) reaches now."""
        if not (
            self.has_add_permission(request) or self.has_change_permission(request)
        ):
            raise PermissionDenied
        audience = request.GET.get("audience", "")
        pks = ",".join(request.GET.getlist("users")).split(",")
        pks = [pk for pk in pks if pk]
        if len(pks) > MOST_CHOSEN:
            detail = f"{len(pks)} users were given; save, and they are counted."
            return JsonResponse({"detail": detail}, status=400)
        # Whoever may not look at users does not get their names for their ids.
        opts = get_user_model()._meta
        may_see = request.user.has_perm(
            f"{opts.app_label}.{get_permission_codename('view', opts)}"
        )
        try:
            chosen = [opts.pk.to_python(pk) for pk in pks]
            users = broadcasts.members(audience, chosen)
            is_named = may_see or audience != audiences.USERS
            text = reach.describe(audience, users, is_named=is_named)
        except (UnknownAudience, ValidationError, OverflowError) as error:
            return JsonResponse({"detail": str(error)}, status=400)
        return JsonResponse({"text": text})

    def numbers_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return what became of a broadcast, as its change page shows it."""
        broadcast = self.get_object(request, unquote(object_id))
        if broadcast is None or not self.has_view_permission(request, broadcast):
            raise PermissionDenied
        forget_session(request)
        return JsonResponse(numbers(broadcast))


def numbers(broadcast: Broadcast) -> dict[str, str]:
    """Return the numbers of *broadcast* in words, with their share of the audience."""
    try:
        found = asdict(broadcasts.numbers(broadcast))
    except UnknownAudience:
        return dict.fromkeys(NUMBERS, "—")
    size = found["audience"]
    texts = {}
    for name, number in found.items():
        text = "—" if number is None else reach.grouped(number)
        # Streams are of browsers: more than one may be of the same user.
        if number and size and name not in {"audience", "delivered"}:
            text += f" ({number / size:.0%})"
        texts[name] = text
    return texts


def _moment(moment: datetime | None) -> str:
    if moment is None:
        return ""
    if timezone.is_aware(moment):
        moment = timezone.localtime(moment)
    return date_format(moment, "DATETIME_FORMAT")
