"""
Run everything that has to hold before a change is good; with --fast, the quick part;
with --other, what of it runs on the other series of Django.

Each part is a command. The table at the end says how each went, and what could not
run for want of what; where CI=true, that is a failure too.
"""

import interpreter

interpreter.choose()

import os  # noqa: E402 - from here on, the Python is new enough for the others
import shlex  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import AbstractContextManager, ExitStack, contextmanager  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from subprocess import STDOUT, Popen  # noqa: E402
from tempfile import TemporaryFile  # noqa: E402
from typing import Any  # noqa: E402

import node  # noqa: E402
import redis_server  # noqa: E402
from components import COMPONENTS, Component, install, install_command  # noqa: E402
from environment import ROOT, Environment, prepare, say  # noqa: E402
from processes import end_on_signals, exit_status, running  # noqa: E402

# Four at a time: most tests wait for a server more than they compute.
PYTEST = "{python} -m pytest --quiet --numprocesses 4 --dist worksteal"
# What computes more than it waits, or runs beside others, gains nothing from more
# processes than there are processors.
PATIENT_PYTEST = "{python} -m pytest --quiet --numprocesses 2 --dist worksteal"
# What drives a browser waits for it, too.
BROWSER_PYTEST = "{python} -m pytest --quiet --numprocesses 3 --dist worksteal"
# For the others, half of what is to be found out at the start is what is there.
NO_BROWSER = " --ignore tests/browser"
ON_POSTGRESQL = "{python} scripts/postgres.py "


@dataclass(frozen=True)
class Part:
    """One command, and where it runs."""

    name: str
    command: str
    """As for a shell; {python} is the Python of the cell."""
    tests: str = ""
    """Which of the tests, as for pytest's -m; all if empty."""
    variables: dict[str, str] = field(default_factory=dict)
    beside: bool = False
    """Whether it runs beside those that follow; its output comes when it is done."""


STYLE = (
    Part("ruff check", "{python} -m ruff check ."),
    Part("ruff format", "{python} -m ruff format --check ."),
)
TYPES = Part("mypy", "{python} -m mypy")
DJANGO = (
    Part("system check", "{python} manage.py check --fail-level WARNING"),
    Part("migrations", "{python} manage.py makemigrations --check --dry-run"),
)

# Each database with each series of Django, and the user model of a project's own with
# the newer one. What takes long depends on little of that: the browser tests run once,
# and so does the waiting for what takes minutes; real servers and faults once with each
# series, and each with another database; what uses no database, once with each series.
#
# What is marked postgres runs on PostgreSQL whatever the cell's database is.
EVERYTHING = (
    Part("slow ones", PATIENT_PYTEST, tests="slow", beside=True),
    *STYLE,
    TYPES,
    *DJANGO,
    # By themselves: among other tests each process would start its browser, and the
    # sites for it, again and again.
    Part("in a browser", BROWSER_PYTEST, tests="browser and not slow"),
    Part("SQLite", PYTEST + NO_BROWSER, tests="not (browser or postgres or slow)"),
    Part(
        "PostgreSQL",
        ON_POSTGRESQL + PATIENT_PYTEST + NO_BROWSER,
        tests="not (slow or brief) and "
        "(postgres or database and not (browser or faults or live))",
    ),
)
EVERYTHING_OTHER = (
    *DJANGO,
    Part(
        "PostgreSQL",
        ON_POSTGRESQL + PATIENT_PYTEST + NO_BROWSER,
        tests="not (browser or slow or (faults and core))",
    ),
    Part(
        "SQLite, own user model",
        PATIENT_PYTEST + NO_BROWSER,
        tests="database and not (browser or live or postgres or slow)",
        variables={"TEST_USER_MODEL": "custom"},
    ),
)
FAST = (
    *STYLE,
    Part(
        "SQLite", PYTEST + NO_BROWSER, tests="not (browser or live or postgres or slow)"
    ),
)

PARTS = {"": EVERYTHING, "--fast": FAST, "--other": EVERYTHING_OTHER}

# Django 5.2 runs below Python 3.12 and Django 6.1 from there, see requirements.txt.
OTHER_SERIES = (3, 12) if sys.version_info < (3, 12) else (3, 11)
OTHER_VERSION = "{}.{}".format(*OTHER_SERIES)
OTHER_PYTHON = f"python{OTHER_VERSION} on the PATH or under ~/.pyenv"
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")

# What browsers run is checked once, whichever the Python.
BIOME = ("Biome", "node_modules/@biomejs/biome/bin/biome check --error-on-warnings")
UNIT_TESTS = ("JavaScript unit tests", "--test --test-reporter=dot")

# What the shell has set for something else would decide what is tested, or how soon.
FOREIGN = {
    "DATABASE_URL",
    "DJANGO_SETTINGS_MODULE",
    "PYTHONDONTWRITEBYTECODE",  # each process would compile each test again
    "TEST_LAYER",
    "TEST_REDIS_URL",
    "TEST_SETTINGS",
    "TEST_USER_MODEL",
}
# The demo's settings would fall back on the servers of a demo that is running.
CLEAN = {"DATABASE_URL": "sqlite:///:memory:", "REDIS_URL": "", "DEBUG": "on"}


@dataclass(frozen=True)
class Result:
    name: str
    status: str
    seconds: float = 0
    remark: str = ""


def main(arguments: list[str]) -> int:
    what = " ".join(arguments)
    if what not in PARTS:
        raise SystemExit(f"Unknown: {what}. Known: --fast, --other.")
    end_on_signals()
    started = time.monotonic()
    fast, whole = what == "--fast", what == ""

    environment = Environment()
    other = None if fast else other_environment()
    if what == "--other":
        if other is None:
            raise SystemExit(f"This needs {OTHER_PYTHON}.")
        environment = other
    environments = [environment]
    # Prepared together, as pip keeps one processor busy. If it cannot be, it says so
    # when its turn comes.
    if whole and other and other.can_be_built:
        environments.append(other)
    prepare(environments, *REQUIREMENTS)
    found = programs(environment)
    if not fast:
        install([c for c in COMPONENTS if c not in found])
        found = programs(environment)
    # The quick part leaves out what they are for.
    missing = [c for c in COMPONENTS if c not in found and not fast]

    results: list[Result] = []
    try:
        if what != "--other":
            results.extend(javascript(environment))
        with ExitStack() as stack:
            if whole:
                finish = stack.enter_context(other_series(environment, other))
            results.extend(run_cell(environment, PARTS[what], found))
            if whole:
                results.append(finish())
        results.extend(not_run(component) for component in missing)
    finally:
        say(table(results, time.monotonic() - started))
    bad = {"FAILED", "NOT RUN"} if os.environ.get("CI") == "true" else {"FAILED"}
    return int(any(result.status in bad for result in results))


def programs(environment: Environment) -> dict[Component, str]:
    """Return the paths of the components that are here."""
    found = {component: component.path for component in COMPONENTS}
    for component in COMPONENTS:
        if component.package == "redis-server" and not found[component]:
            bundled = redis_server.programs(environment).values()
            found[component] = next(iter(bundled), None)
    return {component: path for component, path in found.items() if path}


def not_run(component: Component) -> Result:
    remark = install_command([component])
    return Result(f"tests with {component.package}", "NOT RUN", remark=remark)


def javascript(environment: Environment) -> Iterator[Result]:
    """Check the scripts and styles of the pages."""
    found = node.provide(environment)
    if found is None:
        remark = shlex.join(environment.pip(node.REQUIREMENTS))
        for name, _ in (BIOME, UNIT_TESTS):
            yield Result(name, "NOT RUN", remark=remark)
        return
    name, command = BIOME
    if found.install():
        yield run(name, [found.program, *command.split()], dict(os.environ))
    else:
        yield Result(name, "NOT RUN", remark="npm ci")
    name, command = UNIT_TESTS
    tests = [str(path.relative_to(ROOT)) for path in ROOT.glob("tests/js/*.test.js")]
    yield run(name, [found.program, *command.split(), *sorted(tests)], dict(os.environ))


def other_environment() -> Environment | None:
    """Return the environment for the other series; None where its Python is not."""
    program = interpreter.find(OTHER_SERIES)
    if program is None:
        return None
    return Environment(ROOT / ".venv" / "cells" / OTHER_VERSION, program, OTHER_SERIES)


@contextmanager
def other_series(
    environment: Environment, other: Environment | None
) -> Iterator[Callable[[], Result]]:
    """Run what --other does, beside what follows; yield what returns how it went."""
    name = f"Python {OTHER_VERSION}"
    if other is None:
        result = Result(name, "NOT RUN", remark=f"needs {OTHER_PYTHON}")
        yield lambda: result
        return
    command = [str(environment.python), "scripts/test.py", "--other"]
    # It ends its own processes before it ends.
    with started_beside(name, command, dict(os.environ), patience_seconds=60) as finish:
        yield finish


def run_cell(
    environment: Environment, parts: tuple[Part, ...], found: dict[Component, str]
) -> Iterator[Result]:
    """Run *parts* one after another, but for those that run beside the others."""
    with ExitStack() as stack:
        beside = []
        for part in parts:
            name = f"Python {environment.version}, {part.name}"
            command = command_line(part, environment, found)
            if part.beside:
                started = started_beside(name, command, variables(part, found))
                beside.append(stack.enter_context(started))
            else:
                yield run(name, command, variables(part, found))
        for finish in beside:
            yield finish()


def run(name: str, command: list[str], env: dict[str, str]) -> Result:
    say(f"\n=== {name}")
    started = time.monotonic()
    with test_process(command, env) as process:
        return result_of(name, command, exit_status(process), started)


@contextmanager
def started_beside(
    name: str, command: list[str], env: dict[str, str], **options: Any
) -> Iterator[Callable[[], Result]]:
    """Start *command*; yield what waits for it, prints what it wrote and judges it."""
    started = time.monotonic()
    with ExitStack() as stack:
        output = stack.enter_context(TemporaryFile())
        process = stack.enter_context(
            test_process(command, env, stdout=output, stderr=STDOUT, **options)
        )

        def finish() -> Result:
            status = exit_status(process)
            output.seek(0)
            say(f"\n=== {name}\n{output.read().decode(errors='replace')}")
            return result_of(name, command, status, started)

        yield finish


def test_process(
    command: list[str], env: dict[str, str], **options: Any
) -> AbstractContextManager[Popen[bytes]]:
    # SIGINT, so that pytest tears its fixtures down; and time to do it.
    options = {"patience_seconds": 30} | options
    return running(command, cwd=ROOT, env=env, stop=signal.SIGINT, **options)


def result_of(name: str, command: list[str], status: int, started: float) -> Result:
    seconds = time.monotonic() - started
    if status == 0:
        return Result(name, "PASSED", seconds)
    return Result(name, "FAILED", seconds, shlex.join(command))


def command_line(
    part: Part, environment: Environment, found: dict[Component, str]
) -> list[str]:
    """Return the command of *part*, without the tests that cannot run here."""
    python = str(environment.python)
    command = [word.format(python=python) for word in shlex.split(part.command)]
    if "pytest" in command:
        wanted = [f"({part.tests})"] if part.tests else []
        wanted += sorted(f"not {c.marker}" for c in COMPONENTS if c not in found)
        if wanted:
            command += ["-m", " and ".join(wanted)]
    return command


def variables(part: Part, found: dict[Component, str]) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if k not in FOREIGN}
    paths = {component.variable: path for component, path in found.items()}
    own = {} if "pytest" in part.command else CLEAN
    return inherited | paths | own | part.variables


def table(results: list[Result], seconds: float) -> str:
    width = max((len(result.name) for result in results), default=0)
    lines = [
        f"{result.name:{width}}  {result.status:7}  {duration(result.seconds):>7}"
        f"  {result.remark}".rstrip()
        for result in results
    ]
    return "\n".join(["", *lines, f"In all {duration(seconds)}."])


def duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}:{rest:04.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
