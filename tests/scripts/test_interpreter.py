import ast
import sys
from pathlib import Path

import interpreter
import pytest

SCRIPTS = Path(interpreter.__file__).parent


@pytest.fixture
def machine(tmp_path):
    """A PATH of two directories and a pyenv, each with some Pythons."""
    for name in [
        "bin/python3",
        "bin/python3.9",
        "bin/python3.12",
        "bin/python3.12-config",
        "usr/python3.11",
        "usr/python3.12",
        "pyenv/versions/3.13.0/bin/python3",
        "pyenv/versions/pypy3.10-7.3/bin/python3",
    ]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_lists_the_newest_python_first_and_the_path_in_its_order(machine):
    path = f"{machine}/bin:{machine}/none:{machine}/usr"

    found = interpreter.installed(path, f"{machine}/pyenv")

    assert found == [
        ((3, 13), f"{machine}/pyenv/versions/3.13.0/bin/python3"),
        ((3, 12), f"{machine}/bin/python3.12"),
        ((3, 12), f"{machine}/usr/python3.12"),
        ((3, 11), f"{machine}/usr/python3.11"),
        ((3, 9), f"{machine}/bin/python3.9"),
    ]


def test_a_python_works_if_it_runs_and_is_what_its_name_says():
    assert interpreter.works(sys.executable, sys.version_info[:2])
    assert not interpreter.works(sys.executable, (3, 5))


def test_a_name_without_a_program_behind_it_does_not_work(tmp_path):
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)

    assert not interpreter.works(str(shim), (3, 12))
    assert not interpreter.works(str(tmp_path / "python3.13"), (3, 13))


def test_an_old_python_hands_over_to_the_newest_that_works(monkeypatch):
    found = [((3, 14), "/broken"), ((3, 12), "/newest"), ((3, 9), "/old")]
    handed_over = []
    monkeypatch.setattr(interpreter.sys, "version_info", (3, 9, 0))
    monkeypatch.setattr(interpreter.sys, "argv", ["scripts/demo.py", "--fast"])
    monkeypatch.setattr(interpreter, "installed", lambda: found)
    monkeypatch.setattr(interpreter, "works", lambda program, _: program != "/broken")
    monkeypatch.setattr(interpreter.os, "execv", lambda *call: handed_over.append(call))
    monkeypatch.setattr(interpreter.sys, "exit", lambda text: None)

    interpreter.choose()

    assert handed_over[0] == ("/newest", ["/newest", "scripts/demo.py", "--fast"])


def test_an_old_python_says_what_is_needed_where_there_is_no_newer_one(monkeypatch):
    monkeypatch.setattr(interpreter.sys, "version_info", (3, 9, 0))
    monkeypatch.setattr(interpreter, "installed", lambda: [((3, 10), "/old")])

    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer .* This is 3\.9"):
        interpreter.choose()


@pytest.mark.parametrize("name", ["interpreter.py", "demo.py", "test.py"])
def test_an_old_python_can_read_what_it_has_to(name):
    ast.parse((SCRIPTS / name).read_text(), feature_version=(3, 7))
