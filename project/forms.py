"""The forms on the demo's home page."""

from django import forms
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from notifications import audiences, categories
from notifications.constants import TITLE_LENGTH, Level

LINKS = [
    ("", _("Nowhere")),
    ("/workshop/", _("Workshop")),
    ("/notifications/", _("Inbox")),
]


class NotifyForm(forms.Form):
    """Whom to notify, and of what."""

    title = forms.CharField(
        max_length=TITLE_LENGTH, label=_("What"), initial=_("Coffee is ready")
    )
    recipient = forms.ModelChoiceField(
        get_user_model().objects.filter(is_active=True).order_by("username"),
        to_field_name="username",
        empty_label=None,
        label=_("To"),
    )
    level = forms.TypedChoiceField(choices=Level.choices, coerce=int, label=_("Level"))
    category = forms.ChoiceField(
        choices=categories.choices, initial="team", label=_("Category")
    )
    url = forms.ChoiceField(choices=LINKS, required=False, label=_("Leads to"))


class BroadcastForm(forms.Form):
    """Which audience to reach, and with what."""

    title = forms.CharField(
        max_length=TITLE_LENGTH, label=_("What"), initial=_("We close at four today")
    )
    audience = forms.ChoiceField(
        # Without the list of chosen users: the admin is where one can choose them.
        choices=lambda: [
            choice for choice in audiences.choices() if choice[0] != audiences.USERS
        ],
        label=_("To"),
    )
    level = forms.TypedChoiceField(choices=Level.choices, coerce=int, label=_("Level"))
