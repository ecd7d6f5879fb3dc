"""
What is done with a broadcast from its change page, by the press of a button.

Actions of the change form are Django's from 6.1. Before, the template has the same
buttons and this runs them: the same functions, with the same permissions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import broadcasts
from notifications.broadcasts import Status
from notifications.models import Broadcast
from notifications.views.answers import signed_in

if TYPE_CHECKING:
    from .sending import SendingMixin as Base
else:
    Base = object

IS_NATIVE = hasattr(admin, "ActionLocation")
# The field of Django's own form for it.
FIELD = "CHANGE_FORM-action"

Answer = HttpResponse | None
F = TypeVar("F", bound=Callable[..., Any])


def change_form_action(**options: Any) -> Callable[[F], F]:
    """See ``admin.action``; on the change form, and there alone."""
    if IS_NATIVE:
        options["location"] = admin.ActionLocation.CHANGE_FORM
    decorate: Callable[[F], F] = admin.action(**options)
    return decorate


class Action(NamedTuple):
    """A button of the change page."""

    name: str
    description: Any


class ActionsMixin(Base):
    """Move, cancel, correct, recall and duplicate."""

    change_form_actions = ("move", "cancel", "correct", "recall", "duplicate")
    actions = change_form_actions if IS_NATIVE else ()

    # Which make sense when
    _possible = {
        Status.DRAFT: ("duplicate",),
        Status.SCHEDULED: ("move", "cancel", "duplicate"),
        Status.SENT: ("correct", "recall", "duplicate"),
        Status.OVER: ("duplicate",),
    }

    @change_form_action(permissions=["send"], description=_("Move…"))
    def move(self, request: HttpRequest, queryset: QuerySet[Broadcast]) -> Answer:
        [broadcast] = queryset
        return HttpResponseRedirect(self.url_to("move", broadcast))

    @change_form_action(permissions=["send"], description=_("Cancel sending"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Broadcast]) -> Answer:
        text = gettext("Cancelled; it is a draft again.")
        return self._do(request, queryset, broadcasts.cancel, text)

    @change_form_action(permissions=["send"], description=_("Correct…"))
    def correct(self, request: HttpRequest, queryset: QuerySet[Broadcast]) -> Answer:
        [broadcast] = queryset
        return HttpResponseRedirect(self.url_to("change", broadcast) + "?correct=1")

    @change_form_action(permissions=["send"], description=_("Recall"))
    def recall(self, request: HttpRequest, queryset: QuerySet[Broadcast]) -> Answer:
        text = gettext("Recalled; nobody is shown it any more.")
        return self._do(request, queryset, broadcasts.recall, text)

    @change_form_action(permissions=["add"], description=_("Duplicate"))
    def duplicate(self, request: HttpRequest, queryset: QuerySet[Broadcast]) -> Answer:
        [broadcast] = queryset
        with transaction.atomic(using=router.db_for_write(Broadcast)):
            draft = broadcasts.copy(broadcast, by=signed_in(request))
            text = gettext("A copy of number %(number)s.") % {"number": broadcast.pk}
            self.log_addition(request, draft, text)
        text = gettext("This is a copy, and a draft.")
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(self.url_to("change", draft))

    def _do(
        self,
        request: HttpRequest,
        queryset: QuerySet[Broadcast],
        change: Callable[[Broadcast], bool],
        text: str,
    ) -> HttpResponse:
        [broadcast] = queryset
        if not self.has_send_permission(request, broadcast):
            raise PermissionDenied
        with transaction.atomic(using=router.db_for_write(Broadcast)):
            is_done = change(broadcast)
            if is_done:
                self.log_change(request, broadcast, text)
        if not is_done:
            return self.no_longer(request, broadcast)
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(self.url_to("change", broadcast))

    def actions_for(self, request: HttpRequest, broadcast: Broadcast) -> list[Action]:
        """Return the buttons for *broadcast*, as it is now and for this user."""
        possible = self._possible[self._status(broadcast)]
        return [
            Action(name, getattr(type(self), name).short_description)
            for name in possible
            if name in self.change_form_actions and self._may(request, name)
        ]

    def _may(self, request: HttpRequest, name: str) -> bool:
        function = getattr(type(self), name)
        return any(
            getattr(self, f"has_{permission}_permission")(request)
            for permission in function.allowed_permissions
        )

    def run_action(self, request: HttpRequest, object_id: str) -> Answer:
        """Run what a button stands for, where Django has no such actions itself."""
        name = request.POST[FIELD]
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if selected != [unquote(object_id)] or name not in self.change_form_actions:
            raise BadRequest(f"{name!r} is no action for {selected!r}.")
        if not self._may(request, name):
            raise PermissionDenied
        function = getattr(type(self), name)
        queryset = self.get_queryset(request).filter(pk__in=selected)
        if len(queryset) != 1:
            return None
        if not self.has_view_or_change_permission(request, queryset[0]):
            raise PermissionDenied
        answer: Answer = function(self, request, queryset)
        return answer
