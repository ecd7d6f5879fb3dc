"""The catalogues: complete, compiled, and with the plural forms of their languages."""

import ast
import gettext
import json
import re
from pathlib import Path

import django
import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation
from django.utils.translation.template import templatize

from notifications.plurals import plural_forms
from notifications.templatetags.notifications import PLURALS
from tests.factories import make_notification

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "notifications"
LOCALE = APP / "locale"
LANGUAGES = sorted(path.name for path in LOCALE.iterdir() if path.is_dir())
DJANGO = Path(django.__file__).parent

LITERAL = r"""u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
CALL = re.compile(rf"\b(_|n?p?gettext)\(({LITERAL}(?:, {LITERAL})*)")
MARKS = re.compile(r"_|n?p?gettext(_lazy)?")
# Marks, embeddings and isolates that turn the direction of the text after them.
DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def source(language):
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def entries(language):
    """Return the .po file as ``{msgid: msgstr}``, a list of them for plurals."""
    found = {}
    for block in re.split(r"\n{2,}", source(language).read_text(encoding="utf-8")):
        texts, key = {}, ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            word, quote, rest = line.partition('"')
            key = word.strip() or key
            texts[key] = texts.get(key, "") + ast.literal_eval(quote + rest)
        name = msgid(texts["msgid"], texts.get("msgctxt"))
        assert name not in found
        forms = [text for key, text in texts.items() if key.startswith("msgstr[")]
        found[name] = forms or texts["msgstr"]
    return found


def messages(language):
    """Return the entries but the header, each with a list of its forms."""
    return {
        name: texts if isinstance(texts, list) else [texts]
        for name, texts in entries(language).items()
        if name
    }


def msgid(text, context=None):
    return text if context is None else f"{context}\x04{text}"


def compiled(path):
    with path.open("rb") as file:
        return gettext.GNUTranslations(file)


def marked():
    """Return the msgids that the app's modules and templates ask for."""
    calls = []
    for path in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = [arg for arg in node.args if isinstance(arg, ast.Constant)]
                calls.append((node.func.id, [arg.value for arg in given]))
    for path in (APP / "templates").rglob("*.html"):
        for name, texts in CALL.findall(templatize(path.read_text(encoding="utf-8"))):
            calls.append((name, ast.literal_eval(f"[{texts}]")))
    return {
        msgid(texts[1], texts[0]) if "pgettext" in name else texts[0]
        for name, texts in calls
        if MARKS.fullmatch(name)
    }


def placeholders(text):
    return sorted(re.findall(r"%(?:\(\w+\))?.", text))


def test_german_french_spanish_and_arabic_are_among_the_languages():
    assert {"ar", "de", "es", "fr"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_what_the_app_says_and_nothing_else(language):
    assert set(messages(language)) == marked()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_string_is_translated_in_every_form(language):
    forms = int(re.search(r"nplurals=(\d)", entries(language)[""])[1])

    for name, texts in entries(language).items():
        assert all(texts), name
        assert isinstance(texts, str) or len(texts) == forms, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_in_a_catalogue_is_a_guess_or_a_leftover(language):
    text = source(language).read_text(encoding="utf-8")

    assert "fuzzy" not in text
    assert "#~" not in text
    assert not re.search("PACKAGE|FULL NAME|FIRST AUTHOR|YEAR", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_the_placeholders(language):
    for name, texts in messages(language).items():
        for text in texts:
            assert placeholders(text) == placeholders(name), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_that_of_the_source(language):
    expected = {}
    for name, texts in entries(language).items():
        if isinstance(texts, str):
            expected[name] = texts
        else:
            expected.update({(name, form): text for form, text in enumerate(texts)})

    # Which msgfmt leaves out, so that the same messages compile to the same file.
    expected[""] = re.sub("POT-Creation-Date: .*\n", "", expected[""])
    assert compiled(source(language).with_suffix(".mo"))._catalog == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_counts_take_the_forms_that_they_take_in_django(language):
    ours = compiled(source(language).with_suffix(".mo"))
    theirs = compiled(DJANGO / "conf/locale" / language / "LC_MESSAGES/django.mo")

    # Not the header itself: Django 6.1 has a form for millions that 5.2 has not.
    pairs = {(ours.plural(count), theirs.plural(count)) for count in range(1000)}
    assert len(pairs) == len({form for form, _ in pairs})
    assert len(pairs) == len({form for _, form in pairs})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("app", ["conf", "contrib/admin", "contrib/auth"])
def test_a_string_that_django_has_too_is_translated_as_django_does(language, app):
    # All apps share one catalogue: another word here would show up in the admin.
    path = DJANGO / app / "locale" / language / "LC_MESSAGES" / "django.mo"
    theirs = compiled(path)._catalog

    shared = {
        name: texts[0]
        for name, texts in messages(language).items()
        if isinstance(theirs.get(name), str)
    }
    assert shared == {name: theirs[name] for name in shared}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_names_the_audience_as_its_label_does(language):
    texts = messages(language)
    label = texts["Chosen users"][0]

    quoting = [name for name in texts if "“Chosen users”" in name]
    assert len(quoting) == 2
    assert all(label in texts[name][0] for name in quoting)


def arrived(count):
    return translation.ngettext(
        "%(count)s new notification", "%(count)s new notifications", count
    )


def test_arabic_has_six_forms():
    with translation.override("ar"):
        assert len({arrived(count) for count in (0, 1, 2, 3, 11, 100)}) == 6
        assert arrived(3) == arrived(10) == arrived(103)
        assert arrived(11) == arrived(99) == arrived(111)
        assert arrived(100) == arrived(102) == arrived(1000)


def test_scripts_are_given_all_six():
    with translation.override("ar"):
        forms = json.loads(plural_forms(PLURALS["arrived"]))
        expected = [arrived(count) for count in (0, 1, 2, 3, 11, 100)]

    assert list(forms) == ["zero", "one", "two", "few", "many", "other"]
    assert list(forms.values()) == [text % {"count": "{count}"} for text in expected]
    assert len(set(forms.values())) == 6


def test_the_bell_speaks_arabic_and_leaves_the_direction_to_the_page(ada):
    make_notification(ada)
    make_notification(ada)
    request = RequestFactory().get("/")
    request.user = ada
    template = Template("{% load notifications %}{% notification_bell %}")

    with translation.override("ar"):
        html = template.render(Context({"request": request}))

    [bell] = re.findall(r"<notification-bell\s[^>]*>", html)
    [label] = re.findall(r'data-toggle aria-label="([^"]*)"', html)
    assert 'lang="ar"' in bell
    assert not re.search(r"\bdir=", bell)
    assert label == "الإشعارات، إشعاران غير مقروءين (2)"
    assert not DIRECTIONS.search(bell + label)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_docs_name_the_language(language):
    page = (ROOT / "docs" / "howto" / "translate.md").read_text()

    assert f"(`{language}`)" in page
