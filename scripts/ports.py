"""Ports of this machine, on the loopback interface only."""

import socket
import time
from collections.abc import Callable

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nothing listened on just now."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    """Whether a server could not listen on *port*."""
    try:
        socket.create_server((HOST, port)).close()
    except PermissionError:
        raise SystemExit(f"Port {port} is not open to this user.") from None
    except OSError:
        return True
    return False


def accepts(port: int) -> bool:
    """Whether something listens on *port*."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether *condition* came true within *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
