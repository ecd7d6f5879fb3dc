"""Forms of the admin."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from . import audiences, categories, clock
from .models import Broadcast


class BroadcastForm(forms.ModelForm):
    """Compose a broadcast, and choose whom it reaches."""

    audience = forms.ChoiceField(label=_("Audience"), choices=audiences.choices)
    category = forms.ChoiceField(label=_("Category"), choices=categories.choices)
    # The same form sent twice is one broadcast: this becomes its dedupe_key.
    form_key = forms.CharField(
        widget=forms.HiddenInput, required=False, initial=lambda: f"form:{uuid.uuid4()}"
    )

    class Meta:
        model = Broadcast
        fields = (
            "title",
            "body",
            "url",
            "level",
            "category",
            "audience",
            "users",
            "placement",
            "dismissible",
            "expires_at",
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        expires_at = cleaned.get("expires_at")
        if expires_at and expires_at <= clock.now():
            self.add_error("expires_at", _("This lies in the past."))
        chosen, users = cleaned.get("audience"), cleaned.get("users")
        if chosen == audiences.USERS and not users:
            self.add_error("users", _("Choose at least one user."))
        elif chosen and chosen != audiences.USERS and users:
            self.add_error(
                "users",
                _("Only the audience “Chosen users” takes users; remove them."),
            )
        return cleaned
