"""The form on the demo's home page."""

from django import forms
from django.contrib.auth import get_user_model


class NotifyForm(forms.Form):
    """Whom to notify, and of what."""

    recipient = forms.ModelChoiceField(
        get_user_model().objects.filter(is_active=True).order_by("username"),
        to_field_name="username",
        empty_label=None,
    )
    title = forms.CharField(max_length=200, initial="Your export is ready")
