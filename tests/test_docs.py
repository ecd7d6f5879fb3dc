"""The documentation names what there is, and links to what exists."""

import re
from pathlib import Path

import pytest

from notifications import api, checks, events
from notifications.conf import Conf

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = ROOT / "docs" / "reference"


def read(page):
    return (REFERENCE / page).read_text()


def test_every_setting_is_documented_and_no_other():
    headings = re.findall(r"^## `(\w+)`$", read("settings.md"), re.MULTILINE)

    assert headings == list(Conf.all())


def test_every_check_is_documented_and_no_other():
    pattern = r"notifications\.[EW]\d{3}"
    given = set(re.findall(pattern, Path(checks.__file__).read_text()))

    assert set(re.findall(pattern, read("checks.md"))) == given


def test_every_event_of_the_apps_own_is_documented():
    rows = re.findall(r"^\| `(\w+)` \| `\{", read("events.md"), re.MULTILINE)

    assert set(rows) >= events.OWN_NAMES


def test_every_custom_property_is_documented_and_no_other():
    css = ROOT / "notifications" / "static" / "notifications" / "css"
    rules = "".join(sheet.read_text() for sheet in css.glob("*.css"))
    set_there = set(re.findall(r"^\s*(--notification-[a-z-]+):", rules, re.MULTILINE))
    page = (ROOT / "docs" / "howto" / "style.md").read_text()
    rows = re.findall(r"^\| `(--[a-z-]+)` \|", page, re.MULTILINE)

    assert len(rows) > 10
    assert len(rows) == len(set(rows))
    assert set(rows) == set_there


def test_every_function_that_projects_call_is_documented():
    headings = re.findall(r"^## `(\w+)\(", read("api.md"), re.MULTILINE)

    assert {name for name in api.__all__ if f"a{name}" in api.__all__} <= set(headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []
