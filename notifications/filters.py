"""What to list of an inbox, as a URL says it and as the database is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from django.db.models import Q


class View(StrEnum):
    """The three lists that an inbox is."""

    ALL = "all"
    """What is not archived."""
    UNREAD = "unread"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list: a view, and of that what matches."""

    view: View = View.ALL
    category: str = ""
    """A slug; all categories if empty."""
    search: str = ""
    """Text to be found in title, body or actor, whatever its case."""

    @property
    def is_live(self) -> bool:
        """Whether a page can tell of what arrives that it belongs here."""
        return self.view is not View.ARCHIVED and not self.search

    def query(self) -> str:
        """Return it as the query of a URL, empty for everything."""
        view = "" if self.view is View.ALL else self.view
        named = {"view": view, "category": self.category, "q": self.search}
        return urlencode({name: text for name, text in named.items() if text})

    def condition(self) -> Q:
        found = Q(category=self.category) if self.category else Q()
        # Every word, wherever it is.
        for word in self.search.split():
            found &= (
                Q(title__icontains=word)
                | Q(body__icontains=word)
                | Q(actor_text__icontains=word)
            )
        return found


EVERYTHING: Final = Filter()
