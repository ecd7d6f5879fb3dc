import pytest

from notifications import categories
from notifications.exceptions import UnknownCategory


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(categories, "_categories", categories._categories.copy())
    return categories.register


def test_a_category_is_found_by_its_slug(registered):
    registered("billing", "Billing", required=True)

    category = categories.get("billing")

    assert (category.label, category.required) == ("Billing", True)
    assert categories.choices() == [("general", "General"), ("billing", "Billing")]


def test_an_unknown_category_fails_with_those_that_are_known(registered):
    registered("billing", "Billing")

    with pytest.raises(UnknownCategory, match=r"'bill'.*billing, general"):
        categories.get("bill")
