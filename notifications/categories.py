"""The registry of categories: what a notification is about, in one word."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .exceptions import UnknownCategory

GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Category:
    """A slug that projects filter and style by, and its label for people."""

    slug: str
    label: str | Promise
    required: bool = False
    """Whether users may not mute it."""


_categories: dict[str, Category] = {}


def register(slug: str, label: str | Promise, *, required: bool = False) -> Category:
    """Make *slug* a category, typically in ``AppConfig.ready()``. Last one wins."""
    _categories[slug] = category = Category(slug, label, required)
    return category


def get(slug: str) -> Category:
    """
    Return the category called *slug*.

    Raises:
        UnknownCategory: There is none; the message names those there are.
    """
    try:
        return _categories[slug]
    except KeyError:
        known = ", ".join(sorted(_categories))
        raise UnknownCategory(
            f"No category {slug!r}. Registered: {known}. Add yours with "
            f"notifications.categories.register({slug!r}, label)."
        ) from None


def choices() -> list[tuple[str, str | Promise]]:
    """Return ``(slug, label)`` pairs in the order of registration."""
    return [(category.slug, category.label) for category in _categories.values()]


register(GENERAL, _("General"))
