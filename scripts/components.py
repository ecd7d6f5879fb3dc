"""What the tests need from the system, as apt installs it."""

import os
import shutil
import subprocess
from dataclasses import dataclass

from environment import say
from processes import exit_status, running


@dataclass(frozen=True)
class Component:
    """A program of the system, and who asks for it."""

    package: str
    programs: tuple[str, ...]
    """Its names, the usual one first."""
    variable: str
    """The environment variable in which the tests find its path."""
    marker: str
    """The marker of the tests that cannot run without it."""

    @property
    def path(self) -> str | None:
        if given := os.environ.get(self.variable):
            return given
        # Debian keeps nginx where only root looks.
        places = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
        found = (shutil.which(program, path=places) for program in self.programs)
        return next(filter(None, found), None)


COMPONENTS = (
    Component(
        "chromium",
        ("chromium", "chromium-browser", "google-chrome"),
        "TEST_CHROMIUM",
        "browser",
    ),
    Component("nginx", ("nginx",), "TEST_NGINX", "nginx"),
    Component("redis-server", ("redis-server",), "TEST_REDIS_SERVER", "redis"),
)


def install(components: list[Component]) -> None:
    """Install *components* with apt; do nothing where that is not permitted."""
    if not components or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    command = install_command(components)
    say(f"Installing what the tests need: {command}")
    # With a fresh list of packages: an old one has a Chromium of months ago, which
    # keeps no page with a shared worker in its back/forward cache.
    apt("apt-get update --quiet=2")
    apt(command)


def install_command(components: list[Component]) -> str:
    packages = " ".join(component.package for component in components)
    return f"apt-get install -y --no-install-recommends {packages}"


def apt(command: str) -> int:
    variables = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    options = {"env": variables, "stdout": subprocess.DEVNULL}
    with running(command.split(), patience_seconds=60, **options) as process:
        return exit_status(process)
