"""
What other processes need in order to join the running demo.

The demo offers its environment in a file for as long as it runs; the settings take
it from there, so that ``manage.py notify`` in another terminal reaches the same
Redis and database. Needs the standard library only, and knows nothing of Django.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / ".demo" / "environment.json"


def take(path: Path = FILE) -> dict[str, str]:
    """Return the environment variables of the running demo; {} if there is none."""
    try:
        file = path.open()
    except FileNotFoundError:
        return {}
    with file:
        try:
            # The demo holds a lock that ends with it however it ends, so a file
            # left behind by one that was killed is known for what it is.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            variables: dict[str, str] = json.load(file)
            return variables
    return {}


@contextmanager
def offer(variables: dict[str, str], path: Path = FILE) -> Iterator[None]:
    """Let other processes take *variables* until the block ends."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    # Private, for a DATABASE_URL holds a password.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(variables, file)
        file.flush()
        # In one step, so that nobody reads half a file. The lock moves with it.
        draft.replace(path)
        try:
            yield
        finally:
            if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                path.unlink()
