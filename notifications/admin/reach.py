"""Whom a broadcast reaches, in words."""

from __future__ import annotations

from typing import Final

from django.utils.formats import number_format
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext

from notifications import audiences, broadcasts
from notifications.audiences import Users
from notifications.exceptions import UnknownAudience
from notifications.models import Broadcast

SAMPLE_SIZE: Final = 5


def label(audience: str) -> str:
    """Return what people call *audience*; its key, where it is gone."""
    try:
        return str(audiences.get(audience).label)
    except UnknownAudience:
        return audience


def of(broadcast: Broadcast) -> str:
    """Return the audience of *broadcast*, its exact size now, and some members."""
    try:
        return describe(broadcast.audience, broadcasts.reached(broadcast))
    except UnknownAudience:
        return gettext("The audience “%(audience)s” does not exist any more.") % {
            "audience": broadcast.audience
        }


def describe(audience: str, users: Users, *, is_named: bool = True) -> str:
    """See of(); *users* are who they are. Without names, their number alone."""
    size = users.count()
    text = ngettext(
        "%(audience)s: %(size)s user now.", "%(audience)s: %(size)s users now.", size
    ) % {"audience": label(audience), "size": grouped(size)}
    if not size or not is_named:
        return text
    names = [str(user) for user in users.order_by("pk")[:SAMPLE_SIZE]]
    sample = get_text_list(names, gettext("and"))
    if size > SAMPLE_SIZE:
        some = gettext("Among them: %(names)s.")
    else:
        some = gettext("That is %(names)s.")
    return f"{text} {some % {'names': sample}}"


def grouped(number: int) -> str:
    return number_format(number, force_grouping=True)
