"""Where a notification may lead."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


def is_safe(url: str) -> bool:
    """
    Whether *url* is a path on this site or an absolute http(s) URL.

    Neither scripts nor tricks: no other scheme, no ``//host``, no backslash, no
    blank or control character (browsers drop some of them), no user name.
    """
    if any(character <= " " or character in "\\\x7f" for character in url):
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and "@" not in parts.netloc
    )


def validate_link(url: str) -> None:
    """The same as a validator for forms and models."""
    if not is_safe(url):
        raise ValidationError(
            _("Enter a path on this site, as /news/, or an http(s) address."),
            code="invalid",
        )
