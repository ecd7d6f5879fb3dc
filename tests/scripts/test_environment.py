import json
import os
import sys

import environment
import pytest
from environment import Environment
from processes import running


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A directory with requirements, in which building and installing are noted."""
    (tmp_path / "requirements.txt").write_text("django==5.2\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\nruff==1\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def prepare(checkout, monkeypatch):
    """Return a function that prepares an environment, and returns what it did."""
    done = []

    def build(self):
        done.append("build")
        self.python.parent.mkdir(parents=True, exist_ok=True)
        self.python.touch()
        self.python.chmod(0o755)
        self.stamp.unlink(missing_ok=True)

    def installing(self, *names):
        done.extend(names)
        return running(["true"])

    monkeypatch.setattr(Environment, "build", build)
    monkeypatch.setattr(Environment, "installing", installing)

    def prepare(*names, version=(3, 11)):
        done.clear()
        Environment(checkout / ".venv", sys.executable, version).prepare(*names)
        return sorted(done)

    return prepare


def test_the_first_run_builds_and_the_second_does_nothing(prepare):
    assert prepare("requirements.txt") == ["build", "requirements.txt"]
    assert prepare("requirements.txt") == []


def test_more_requirements_are_added_without_building_anew(prepare):
    prepare("requirements.txt")

    assert prepare("requirements.txt", "requirements-dev.txt") == [
        "requirements-dev.txt"
    ]
    assert prepare("requirements.txt") == []


def test_a_changed_file_makes_it_build_anew(prepare, checkout):
    prepare("requirements.txt")

    (checkout / "requirements.txt").write_text("django==6.1\n")

    assert prepare("requirements.txt") == ["build", "requirements.txt"]


def test_a_changed_file_that_another_includes_makes_it_build_anew(prepare, checkout):
    prepare("requirements-dev.txt")

    (checkout / "requirements.txt").write_text("django==6.1\n")

    assert prepare("requirements-dev.txt") == ["build", "requirements-dev.txt"]


def test_another_python_makes_it_build_anew(prepare):
    prepare("requirements.txt")

    assert prepare("requirements.txt", version=(3, 12)) == [
        "build",
        "requirements.txt",
    ]


def interrupted(self, *names):
    raise KeyboardInterrupt


def failing(self, *names):
    return running(["false"])


@pytest.mark.parametrize(
    ("installing", "raised"), [(interrupted, KeyboardInterrupt), (failing, SystemExit)]
)
def test_an_installation_that_was_interrupted_or_failed_is_built_anew(
    installing, raised, prepare, monkeypatch
):
    prepare("requirements.txt")
    with monkeypatch.context() as patch:
        patch.setattr(Environment, "installing", installing)
        with pytest.raises(raised):
            prepare("requirements.txt", "requirements-dev.txt")

    assert prepare("requirements.txt") == ["build", "requirements.txt"]


def test_two_are_built_in_their_order_and_installed_into_together(
    checkout, monkeypatch
):
    """Each pip waits for the other to have begun."""
    outer = Environment(checkout / ".venv")
    inner = Environment(checkout / ".venv" / "cells" / "3.12")
    built = []
    os.mkfifo(checkout / "pipe")  # who opens it waits for the other end

    def installing(self, *names):
        command = "echo > pipe" if self is outer else "cat pipe"
        return running(["timeout", "20", "sh", "-c", command], cwd=checkout)

    monkeypatch.setattr(Environment, "installing", installing)
    monkeypatch.setattr(Environment, "build", lambda self: built.append(self))
    inner.directory.mkdir(parents=True)

    environment.prepare([outer, inner], "requirements.txt")

    assert built == [outer, inner]
    assert outer.stamp.exists()
    assert inner.stamp.exists()


def test_a_removed_python_makes_it_build_anew(prepare, checkout):
    prepare("requirements.txt")

    (checkout / ".venv/bin/python").unlink()

    assert prepare("requirements.txt") == ["build", "requirements.txt"]


def test_an_unreadable_stamp_makes_it_build_anew(prepare, checkout):
    prepare("requirements.txt")

    (checkout / ".venv/requirements.json").write_text("{")

    assert prepare("requirements.txt") == ["build", "requirements.txt"]


def test_a_python_without_venv_is_told_what_to_install(checkout, tmp_path):
    bare = tmp_path / "python3.11"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)

    with pytest.raises(SystemExit, match=r"apt-get install python3\.11-venv"):
        Environment(checkout / ".venv", str(bare), (3, 11)).build()


def test_pip_is_not_led_out_of_the_environment(checkout, monkeypatch):
    calls = []
    monkeypatch.setenv("PIP_TARGET", "/somewhere/else")
    monkeypatch.setattr(
        environment, "running", lambda *call, **options: calls.append(options["env"])
    )

    Environment(checkout / ".venv").installing("requirements.txt")

    assert "PIP_TARGET" not in calls[0]


def test_the_stamp_says_what_is_installed(prepare, checkout):
    prepare("requirements.txt")

    stamp = json.loads((checkout / ".venv/requirements.json").read_text())

    assert list(stamp) == ["requirements.txt"]
