"""The virtual environment: built when it has to be, and nothing outside of it."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        """
        See to it that the requirements files *names* are installed.

        If nothing changed since the last time, this touches neither disk nor
        network. If one of the files changed, everything is built anew.
        """
        with locked(ROOT):
            wanted = {name: self.fingerprint(ROOT / name) for name in names}
            stamped = self.stamped()
            if wanted.items() <= stamped.items():
                return
            if not stamped or any(
                stamped.get(name, value) != value for name, value in wanted.items()
            ):
                self.build()
                stamped = {}
            # Written last: what is interrupted has no stamp, and is built anew.
            self.stamp.unlink(missing_ok=True)
            for name in wanted.keys() - stamped.keys():
                self.install(name)
            self.stamp.write_text(json.dumps(stamped | wanted, indent=2))

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

    def build(self) -> None:
        probe = [self.interpreter, "-c", "import ensurepip, venv"]
        if subprocess.run(probe, capture_output=True).returncode != 0:
            raise SystemExit(
                f"{self.interpreter} cannot create virtual environments: its modules "
                "venv and ensurepip are missing.\n"
                f"On Debian and Ubuntu: apt-get install python{self.version}-venv"
            )
        say(f"Building {self.directory.relative_to(ROOT)} with Python {self.version}")
        run([self.interpreter, "-m", "venv", "--clear", str(self.directory)])

    def install(self, name: str) -> None:
        say(f"Installing {name} into {self.directory.relative_to(ROOT)}")
        run(self.pip(name), env=pip_variables())

    def pip(self, name: str) -> list[str]:
        """Return the command that installs the requirements file *name*."""
        command = [str(self.python), "-I", "-m", "pip", "install", "--quiet"]
        # Most of what is installed is never imported. The rest is compiled then.
        command += ["--disable-pip-version-check", "--no-compile"]
        return [*command, "-r", str(ROOT / name)]


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
        status = exit_status(process)
    if status != 0:
        raise SystemExit(f"Failed ({status}): {' '.join(command)}")


def say(text: str) -> None:
    print(text, flush=True)
