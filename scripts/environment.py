"""The virtual environment: built when it has to be, and nothing outside of it."""

import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

from processes import exit_status, running

ROOT = Path(__file__).resolve().parent.parent

# Any of these would make pip install somewhere else.
MISLEADING = {"PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER"}


class Environment:
    """One virtual environment, and what is installed in it."""

    def __init__(
        self,
        directory: Path = ROOT / ".venv",
        interpreter: str = sys.executable,
        version: tuple[int, int] = sys.version_info[:2],
    ) -> None:
        self.directory = directory
        self.interpreter = interpreter
        self.version = "{}.{}".format(*version)
        self.python = directory / "bin" / "python"
        self.stamp = directory / "requirements.json"

    def prepare(self, *names: str) -> None:
        """See prepare()."""
        prepare([self], *names)

    def fingerprint(self, requirements: Path) -> str:
        """Return what changes with the file, with those it includes or the Python."""
        digest = hashlib.sha256(self.version.encode())
        for line in requirements.read_text().splitlines():
            digest.update(line.encode() + b"\n")
            if line.startswith("-r "):
                included = requirements.parent / line.removeprefix("-r ").strip()
                digest.update(self.fingerprint(included).encode())
        return digest.hexdigest()

    def stamped(self) -> dict[str, str]:
        """Return the fingerprints of what is installed; {} if that is not known."""
        if not os.access(self.python, os.X_OK):  # its Python may have been removed
            return {}
        try:
            fingerprints: dict[str, str] = json.loads(self.stamp.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return fingerprints

    @property
    def can_be_built(self) -> bool:
        """Whether its Python can create virtual environments."""
        probe = [self.interpreter, "-c", "import ensurepip, venv"]
        return subprocess.run(probe, capture_output=True).returncode == 0

    def build(self) -> None:
        if not self.can_be_built:
            raise SystemExit(
                f"{self.interpreter} cannot create virtual environments: its modules "
                "venv and ensurepip are missing.\n"
                f"On Debian and Ubuntu: apt-get install python{self.version}-venv"
            )
        say(f"Building {self.directory.relative_to(ROOT)} with Python {self.version}")
        run([self.interpreter, "-m", "venv", "--clear", str(self.directory)])

    def installing(self, *names: str) -> AbstractContextManager[Popen[bytes]]:
        """Return what runs pip for the requirements files *names*."""
        say(f"Installing {', '.join(names)} into {self.directory.relative_to(ROOT)}")
        return running(self.pip(*names), cwd=ROOT, env=pip_variables())

    def pip(self, *names: str) -> list[str]:
        """Return the command that installs the requirements files *names*."""
        command = [str(self.python), "-I", "-m", "pip", "install", "--quiet"]
        # Most of what is installed is never imported. The rest is compiled then.
        command += ["--disable-pip-version-check", "--no-compile"]
        return command + [word for name in names for word in ("-r", str(ROOT / name))]


def prepare(environments: Sequence[Environment], *names: str) -> None:
    """
    See to it that the requirements files *names* are installed in *environments*.

    If nothing changed since the last time, this touches neither disk nor
    network. If one of the files changed, everything is built anew. An environment
    comes before those in its directory, which go when it is built; then pip installs
    into all of them at the same time.
    """
    with locked(ROOT), ExitStack() as stack:
        installations = []
        for each in environments:
            wanted = {name: each.fingerprint(ROOT / name) for name in names}
            stamped = each.stamped()
            if wanted.items() <= stamped.items():
                continue
            if not stamped or any(
                stamped.get(name, value) != value for name, value in wanted.items()
            ):
                each.build()
                stamped = {}
            # Written last: what is interrupted has no stamp, and is built anew.
            each.stamp.unlink(missing_ok=True)
            missing = sorted(wanted.keys() - stamped.keys())
            process = stack.enter_context(each.installing(*missing))
            installations.append((each, process, stamped | wanted))
        for each, process, stamped in installations:
            finish(process)
            each.stamp.write_text(json.dumps(stamped, indent=2))


def pip_variables() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in MISLEADING}


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Let one process at a time in, without leaving a file behind."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def run(command: list[str], env: dict[str, str] | None = None) -> None:
    """Run *command* in the project's directory; if it fails, so does the script."""
    with running(command, cwd=ROOT, env=env) as process:
        finish(process)


def finish(process: Popen[bytes]) -> None:
    """Wait for *process*; if it fails, so does the script."""
    status = exit_status(process)
    if status != 0:
        raise SystemExit(f"Failed ({status}): {shlex.join(process.args)}")


def say(text: str) -> None:
    print(text, flush=True)
