import contextlib
import importlib.util
import re
from pathlib import Path

import demo
import pytest
from components import COMPONENTS
from environment import Environment
from node import Node

CHROMIUM = COMPONENTS[0]


@pytest.fixture(scope="module")
def script():
    """scripts/test.py, whose name the standard library has taken."""
    path = Path(demo.__file__).with_name("test.py")
    spec = importlib.util.spec_from_file_location("test_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment(tmp_path):
    return Environment(tmp_path / "a directory")


def test_tests_that_cannot_run_are_left_out(script, environment):
    part = script.Part("SQLite", "{python} -m pytest", tests="live or slow")
    found = dict.fromkeys(set(COMPONENTS) - {CHROMIUM}, "/usr/bin/it")

    command = script.command_line(part, environment, found)

    assert command[0] == str(environment.python)
    assert command[-2:] == ["-m", "(live or slow) and not browser"]


def test_nothing_is_left_out_where_everything_is_there(script, environment):
    part = script.Part("SQLite", "{python} -m pytest")

    command = script.command_line(
        part, environment, dict.fromkeys(COMPONENTS, "/usr/bin/it")
    )

    assert command == [str(environment.python), "-m", "pytest"]


def test_the_tests_are_told_where_things_are(script):
    variables = script.variables(
        script.Part("SQLite", "pytest"), {CHROMIUM: "/usr/bin/chromium"}
    )

    assert variables["TEST_CHROMIUM"] == "/usr/bin/chromium"


def test_a_running_demo_and_the_shell_have_no_say(script, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://production/")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    variables = script.variables(script.Part("system check", "manage.py check"), {})

    assert variables["DATABASE_URL"] == "sqlite:///:memory:"
    assert variables["REDIS_URL"] == ""
    assert "PYTHONDONTWRITEBYTECODE" not in variables


def test_the_table_says_how_it_went_and_how_to_repeat_it(script):
    results = [
        script.Result("Python 3.11, mypy", "PASSED", 61.25),
        script.Result("Python 3.12, SQLite", "FAILED", 2, "python -m pytest"),
    ]

    table = script.table(results, 75)

    assert table.splitlines() == [
        "",
        "Python 3.11, mypy    PASSED    1:01.2",
        "Python 3.12, SQLite  FAILED    0:02.0  python -m pytest",
        "In all 1:15.0.",
    ]


def ran_beside(script):
    """Return what takes the place of started_beside(), and says what it was to run."""

    @contextlib.contextmanager
    def started_beside(name, command, env, **options):
        yield lambda: script.Result(name, "PASSED", remark=" ".join(command[1:]))

    return started_beside


@pytest.fixture
def run_with(script, monkeypatch):
    """Return a function that runs the script where only some components are."""
    passed = [script.Result("Python 3.11, SQLite", "PASSED", 1)]
    monkeypatch.setattr(script, "end_on_signals", lambda: None)
    monkeypatch.setattr(script, "install", lambda components: None)
    monkeypatch.setattr(script, "run_cell", lambda *cell: passed)
    monkeypatch.setattr(script, "started_beside", ran_beside(script))
    monkeypatch.setattr(script, "prepare", lambda environments, *names: None)
    monkeypatch.setattr(Environment, "can_be_built", True)

    def run(components, javascript=(), other_python="/usr/bin/another"):
        monkeypatch.setattr(script.interpreter, "find", lambda version: other_python)
        found = dict.fromkeys(components, "/usr/bin/it")
        monkeypatch.setattr(script, "programs", lambda environment: found)
        monkeypatch.setattr(script, "javascript", lambda environment: javascript)
        return script.main([])

    return run


@pytest.fixture
def run_without_chromium(run_with):
    return lambda: run_with(set(COMPONENTS) - {CHROMIUM})


def test_what_is_missing_is_listed_with_the_line_to_run(
    run_without_chromium, monkeypatch, capsys
):
    monkeypatch.delenv("CI", raising=False)

    status = run_without_chromium()

    assert status == 0
    assert "tests with chromium  NOT RUN" in capsys.readouterr().out


def test_what_is_missing_fails_in_ci(run_without_chromium, monkeypatch, capsys):
    monkeypatch.setenv("CI", "true")

    status = run_without_chromium()

    assert status == 1
    assert "apt-get install -y --no-install-recommends chromium" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_a_missing_node_fails_in_ci_alone(script, run_with, monkeypatch, ci, status):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(script.node, "provide", lambda environment: None)
    results = list(script.javascript(Environment()))

    assert run_with(COMPONENTS, results) == status


def test_what_needs_node_is_listed_with_the_line_to_run(
    script, environment, monkeypatch
):
    monkeypatch.setattr(script.node, "provide", lambda environment: None)

    results = list(script.javascript(environment))

    assert [(result.name, result.status) for result in results] == [
        ("Biome", "NOT RUN"),
        ("JavaScript unit tests", "NOT RUN"),
    ]
    assert results[0].remark.rstrip("'").endswith("requirements-node.txt")


@pytest.fixture
def checked(script, environment, monkeypatch):
    """Return a function that returns what is run, and says how it went."""
    commands = []

    def run(name, command, env):
        commands.append(command)
        return script.Result(name, "PASSED")

    def checked(*, installs):
        node = Node("/usr/bin/node", ("/usr/bin/npm",))
        monkeypatch.setattr(script, "run", run)
        monkeypatch.setattr(script.node, "provide", lambda environment: node)
        monkeypatch.setattr(Node, "install", lambda self: installs)
        return commands, list(script.javascript(environment))

    return checked


def test_scripts_and_styles_are_linted_and_tested(checked):
    (biome, unit_tests), results = checked(installs=True)

    assert biome[0] == unit_tests[0] == "/usr/bin/node"
    assert "check" in biome
    assert "tests/js/sharing.test.js" in unit_tests
    assert [result.status for result in results] == ["PASSED", "PASSED"]


def test_unit_tests_need_nothing_that_npm_installs(checked):
    _, results = checked(installs=False)

    assert [(result.name, result.status, result.remark) for result in results] == [
        ("Biome", "NOT RUN", "npm ci"),
        ("JavaScript unit tests", "PASSED", ""),
    ]


def test_the_other_series_of_django_runs_beside(run_with, capsys):
    assert run_with(COMPONENTS) == 0

    assert re.search(r"PASSED .*scripts/test\.py --other", capsys.readouterr().out)


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_a_missing_python_is_listed_and_fails_in_ci_alone(
    run_with, monkeypatch, capsys, ci, status
):
    monkeypatch.setenv("CI", ci)

    assert run_with(COMPONENTS, other_python=None) == status

    assert re.search(
        r"NOT RUN .*on the PATH or under ~/\.pyenv", capsys.readouterr().out
    )


def test_what_runs_on_the_other_series_is_refused_without_its_python(
    script, monkeypatch
):
    monkeypatch.setattr(script, "end_on_signals", lambda: None)
    monkeypatch.setattr(script.interpreter, "find", lambda version: None)

    with pytest.raises(SystemExit, match=r"needs python.* on the PATH"):
        script.main(["--other"])


def test_an_unknown_argument_is_refused_with_the_known_one(script):
    with pytest.raises(SystemExit, match=r"--quick.*Known: --fast, --other"):
        script.main(["--quick"])
