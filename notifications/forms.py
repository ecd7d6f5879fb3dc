"""Forms of the admin: what a broadcast says, whom it reaches, and when."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django import forms
from django.conf import global_settings, settings
from django.contrib.admin.widgets import (
    AdminSplitDateTime,
    AdminTextareaWidget,
    AdminTextInputWidget,
)
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from . import audiences, broadcasts, categories, clock
from .constants import KEY_LENGTH, LARGE_AUDIENCE, TITLE_LENGTH
from .events import is_storable
from .exceptions import InvalidNotification
from .models import Broadcast

Translations = dict[str, dict[str, str]]


class TranslationsWidget(forms.Widget):
    """
    A title and a text for each language of the site, and for those that are there.

    Of the site, where ``LANGUAGES`` says which those are: Django's own list of a
    hundred would be no form to fill in.
    """

    template_name = "notifications/admin/translations.html"
    use_fieldset = True
    needs_multipart_form = False

    def codes(self, value: Translations) -> list[str]:
        is_said = settings.LANGUAGES != global_settings.LANGUAGES
        named = [code for code, _label in settings.LANGUAGES] if is_said else []
        return list(dict.fromkeys([*named, *value]))

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        value = value or {}
        context["widget"]["title_length"] = TITLE_LENGTH
        context["widget"]["languages"] = [
            {
                "code": code,
                "label": _language(code),
                "name": f"{name}_{code}",
                **value.get(code, {}),
            }
            for code in self.codes(value)
        ]
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Translations:
        found: Translations = {}
        for key in data:
            if key.startswith(f"{name}_"):
                code, _sep, part = key.removeprefix(f"{name}_").rpartition("_")
                if part in {"title", "body"} and (text := data[key].strip()):
                    found.setdefault(code, {})[part] = text
        return found

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(key.startswith(f"{name}_") for key in data)

    def id_for_label(self, id_: str | None) -> str:
        return ""


class TranslationsField(forms.Field):
    """``{"de": {"title": …, "body": …}}``, where something was filled in."""

    widget = TranslationsWidget

    def to_python(self, value: Any) -> Translations:
        return value or {}

    def validate(self, value: Translations) -> None:
        for code, texts in value.items():
            for text in texts.values():
                ProhibitNullCharactersValidator()(text)
            if len(texts.get("title", "")) > TITLE_LENGTH:
                raise ValidationError(
                    _("The title in %(language)s has more than %(limit)s characters."),
                    params={"language": _language(code), "limit": TITLE_LENGTH},
                )

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or {}) != (data or {})


class ExpiryForm(forms.ModelForm):
    """When a broadcast ends."""

    class Meta:
        model = Broadcast
        fields = ("expires_at",)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "expires_at" not in self.errors:
            self._check_ending(cleaned)
        return cleaned

    def _check_ending(self, cleaned: dict[str, Any]) -> None:
        dismissible = cleaned.get("dismissible", self.instance.dismissible)
        expires_at = cleaned.get("expires_at", self.instance.expires_at)
        if expires_at and expires_at <= clock.now():
            self.add_error("expires_at", _("This lies in the past."))
            return
        begins = self.instance.publish_at or clock.now()
        try:
            broadcasts.check_ending(dismissible, expires_at, begins=begins)
        except InvalidNotification as error:
            self.add_error("expires_at", str(error))


class CorrectionForm(ExpiryForm):
    """What a broadcast says, and until when."""

    category = forms.ChoiceField(label=_("Category"), choices=categories.choices)
    translations = TranslationsField(label=_("Translations"), required=False)

    class Meta:
        model = Broadcast
        fields: tuple[str, ...] = (
            "title",
            "body",
            "url",
            "level",
            "category",
            "translations",
            "expires_at",
        )
        widgets = {"title": AdminTextInputWidget, "expires_at": AdminSplitDateTime}


class FormKeyField(forms.CharField):
    """
    A hidden field that differs from form to form.

    The same form sent twice is one broadcast: it becomes the ``dedupe_key``.
    """

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=KEY_LENGTH,
            initial=lambda: f"form:{uuid.uuid4()}",
        )


class BroadcastForm(CorrectionForm):
    """Compose a broadcast, and choose whom it reaches."""

    audience = forms.ChoiceField(label=_("Audience"), choices=audiences.choices)
    form_key = FormKeyField()

    class Meta(CorrectionForm.Meta):
        fields = (
            *CorrectionForm.Meta.fields,
            "audience",
            "users",
            "placement",
            "dismissible",
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        chosen, users = cleaned.get("audience"), cleaned.get("users")
        if chosen == audiences.USERS and not users:
            self.add_error("users", _("Choose at least one user."))
        elif chosen and chosen != audiences.USERS and users:
            self.add_error(
                "users",
                _("Only the audience “Chosen users” takes users; remove them."),
            )
        return cleaned


class NotifyForm(CorrectionForm):
    """What to tell users that were chosen elsewhere."""

    form_key = FormKeyField()

    class Meta(CorrectionForm.Meta):
        fields = (*CorrectionForm.Meta.fields, "dismissible")
        widgets = {
            **CorrectionForm.Meta.widgets,
            "body": AdminTextareaWidget,
            "url": AdminTextInputWidget,
        }
        field_classes = {"expires_at": forms.SplitDateTimeField}


class FiguresField(forms.IntegerField):
    """A whole number as people write it, with whatever separates thousands."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, str):
            value = re.sub("[\\s.,'\u2019\u066c]", "", value)
        return super().to_python(value)


class SizeForm(forms.Form):
    """
    A number that is asked for above 10,000: how many a broadcast reaches.

    Args:
        size: How many that is now. Users come and go while somebody reads, so one
            in a hundred more or less will do.
    """

    size = FiguresField(label=_("How many users does this reach?"))

    def __init__(self, *args: Any, size: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._size = size
        self.fields["size"].widget.attrs["autocomplete"] = "off"
        if size <= LARGE_AUDIENCE:
            del self.fields["size"]

    def clean_size(self) -> int:
        given: int = self.cleaned_data["size"]
        if not is_about(given, self._size):
            raise ValidationError(
                _("It reaches %(size)s users now, not %(given)s."),
                params={"size": self._size, "given": given},
            )
        return given


def is_about(given: int, size: int) -> bool:
    """Whether *given* is what somebody says who knows how many *size* are."""
    return abs(given - size) <= size // 100


class MomentForm(forms.Form):
    """When a broadcast is to be sent."""

    at = forms.SplitDateTimeField(
        label=_("Send at"), required=False, widget=AdminSplitDateTime
    )

    def clean_at(self) -> Any:
        at = self.cleaned_data["at"]
        if at is not None and at <= clock.now():
            raise ValidationError(_("This lies in the past."))
        if at is not None and not is_storable(at):
            raise ValidationError(_("This is too far in the future."))
        return at


class SendForm(MomentForm, SizeForm):
    """The last question before a broadcast is sent: when, and is the size right?"""

    field_order = ("at", "size")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].help_text = _("Leave it empty to send it now.")


class MoveForm(MomentForm):
    """Another moment for what is scheduled."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].required = True


def _language(code: str) -> str:
    try:
        return str(get_language_info(code)["name_local"])
    except KeyError:
        return code
