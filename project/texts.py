"""Texts that are stored once and read in several languages."""

from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import override


def in_every_language(title: Promise, body: Promise | str = "") -> dict[str, Any]:
    """
    Return what ``notify()`` and ``broadcast()`` take to say lazy texts to each reader.

    ``notify(user, **in_every_language(_("Your export is ready")))``
    """
    texts = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            texts[language] = {"title": str(title), "body": str(body)}
    return texts[settings.LANGUAGE_CODE] | {"translations": texts}
