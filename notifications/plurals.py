"""
Plural forms for scripts: gettext's, under the names that ``Intl.PluralRules`` has.

gettext numbers a language's forms and Unicode names them, so each name is asked
for with a number that has it in every language whose forms differ at all.
"""

from __future__ import annotations

import json
from typing import Any

# CLDR's names, each with a number that selects it: "few" is 2 to 4 or 3 to 10,
# "many" 5 and more or 11 to 99. A language without that name takes what it has.
SAMPLES = {"zero": 0, "one": 1, "two": 2, "few": 3, "many": 11, "other": 100}


def plural_forms(text: Any) -> str:
    """
    Return *text*, an ``ngettext_lazy(..., "count")``, as a JSON object.

    ``{"one": "{count} new", "other": ...}`` in the active language, for a script
    to choose by ``new Intl.PluralRules(language).select(count)``.
    """
    forms = {}
    for name, number in SAMPLES.items():
        # Not by the text of the number: a language may write it in words.
        forms[name] = str(text % {"count": _Count(number), "counter": _Count(number)})
    return json.dumps(forms, ensure_ascii=False)


class _Count(int):
    """A number that chooses a form, and leaves its place in the text open."""

    def __str__(self) -> str:
        return "{count}"
