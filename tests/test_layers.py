"""The map of the app is a test: who may import whom."""

import ast
from pathlib import Path

import pytest

import notifications

# A module may import modules from its own line and from the lines above it.
LAYERS = [
    {"constants", "exceptions", "conf", "events", "forking", "signals"},
    {"categories", "links", "plurals", "worker"},
    {"models", "clock", "audiences", "content", "filters"},
    {"wire", "payloads"},
    {"bus"},
    {"outbox"},
    {"broadcasts"},
    {"inbox", "sources", "hub", "reader", "revocation", "roster", "sweeper", "tally"},
    {"stream", "responses", "api", "gate", "health"},
    {"views", "admin", "forms", "templatetags", "management", "checks", "testing"},
    {"urls", "apps"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
ROOT = Path(notifications.__file__).parent
MODULES = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__init__.py" and "migrations" not in path.parts
]


def imports(source, package):
    """
    Return the dotted names that *source* imports, as a module of *package*.

    ``from a import b`` counts as ``a.b``, because ``b`` may be a module. What is
    imported for type checkers alone does not count.
    """
    tree = ast.parse(source)
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for child in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: 1 - node.level or None] if node.level else []
            prefix = ".".join([*base, *filter(None, [node.module])])
            found |= {f"{prefix}.{alias.name}" for alias in node.names}
    return found


def imports_of(path):
    package = ".".join(["notifications", *path.relative_to(ROOT).parts[:-1]])
    return imports(path.read_text(), package)


def rooms(names):
    """Return the first-level modules of this app among the dotted *names*."""
    parts = (name.split(".") for name in names)
    return {part[1] for part in parts if part[0] == "notifications" and len(part) > 1}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from . import bus", {"bus"}),
        ("from .bus import send", {"bus"}),
        ("from notifications import bus", {"bus"}),
        ("from notifications.bus import send", {"bus"}),
        ("import notifications.bus", {"bus"}),
        ("def f():\n    from .bus import send", {"bus"}),
        ("if TYPE_CHECKING:\n    from .bus import send\nelse:\n    import os", set()),
        ("from django.db import models", set()),
    ],
)
def test_the_guard_sees_every_form_of_import(source, expected):
    assert rooms(imports(source, "notifications")) == expected


def test_the_guard_resolves_imports_from_the_package_above():
    source = "from ...inbox import Inbox\nfrom ... import bus"

    found = imports(source, "notifications.management.commands")

    assert rooms(found) == {"inbox", "bus"}


def test_every_module_has_its_layer():
    assert {room(path) for path in MODULES} <= set(RANK)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_import_only_from_their_own_layer_and_those_above(path):
    found = {name for name in rooms(imports_of(path)) if not name.startswith("_")}

    too_high = {name for name in found if RANK[name] > RANK[room(path)]}

    assert not too_high


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_wire_imports_channels(path):
    wires = {
        name
        for name in imports_of(path)
        if name.split(".")[0] in {"channels", "channels_redis", "redis"}
    }

    assert not wires or room(path) == "wire"


@pytest.mark.parametrize("name", ["hub", "stream"])
def test_hub_and_stream_know_nothing_of_http(name):
    found = imports_of(ROOT / f"{name}.py")

    assert not {
        each for each in found if each.startswith(("django.http", "django.urls"))
    }
