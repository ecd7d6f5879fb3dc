"""
Serve the demo site on http://127.0.0.1:8000/ until Ctrl-C.

PORT chooses another port, REDIS_URL and DATABASE_URL other servers than our own
Redis and SQLite. An empty REDIS_URL means: without Redis, in one process.
"""

import interpreter

interpreter.choose()

import os  # noqa: E402 - from here on, the Python is new enough for the others
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import ExitStack, contextmanager  # noqa: E402

import redis_server  # noqa: E402
from environment import ROOT, Environment, run, say  # noqa: E402
from ports import HOST, accepts, is_taken, wait_until  # noqa: E402
from processes import end_on_signals, exit_status, running  # noqa: E402

sys.path.append(str(ROOT))
from project import handover  # noqa: E402

WELCOME = """
  Open      http://{host}:{port}/
  Sign in   as alice, bob or admin; the password is the name.

  Try       Notify yourself on the desk, and watch the bell.
            Follow an export, a log and an answer: /workshop/
            As admin in a private window: tell everyone, on the desk or at
            http://{host}:{port}/admin/live_notifications/broadcast/add/
            Another language, down on every page; Arabic turns it around.
            In another terminal, in this directory:
            .venv/bin/python manage.py notify alice "Hello"

  Redis     {redis}
  Database  {database}

  Ctrl-C ends everything.
"""


def main() -> int:
    end_on_signals()
    port = chosen_port(os.environ.get("PORT") or "8000")
    environment = Environment()
    environment.prepare("requirements.txt")
    with ExitStack() as stack:
        url, redis = stack.enter_context(channel_layer(environment))
        shared = {"REDIS_URL": url}
        joined = handover.take() | os.environ
        shared["DATABASE_URL"] = joined.get("DATABASE_URL", "")
        server = stack.enter_context(serving(environment, port, shared))
        if server.poll() is None:
            if not handover.take():  # the other demo of this directory keeps its own
                stack.enter_context(handover.offer(shared))
            database = "PostgreSQL" if shared["DATABASE_URL"] else "SQLite, db.sqlite3"
            say(WELCOME.format(host=HOST, port=port, redis=redis, database=database))
        return exit_status(server)


@contextmanager
def serving(
    environment: Environment, port: int, variables: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the site, with its accounts, on *port*; yield once it answers or ended."""
    python = str(environment.python)
    variables = os.environ | variables | {"DJANGO_SETTINGS_MODULE": "project.settings"}
    run([python, "manage.py", "migrate", "--verbosity", "0"], variables)
    run([python, "manage.py", "demo_accounts"], variables)
    # Quiet, so that what the scripts print stays in sight.
    command = [python, "-m", "daphne", "--verbosity", "0", "-b", HOST]
    command += ["-p", str(port), "project.asgi:application"]
    with running(command, cwd=ROOT, env=variables) as server:
        wait_until(lambda: server.poll() is not None or accepts(port), 60)
        yield server


def chosen_port(text: str) -> int:
    """Return the port that *text* names, or end the script with what is wrong."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SystemExit(f"PORT is {text!r}. It has to be a number from 1 to 65535.")
    port = int(text)
    if is_taken(port):
        other = port + 1 if port < 65535 else 8000
        raise SystemExit(
            f"Port {port} is taken: something is listening on {HOST}:{port}, perhaps "
            f"this demo in another terminal.\nAnother port: PORT={other} make demo"
        )
    return port


@contextmanager
def channel_layer(environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield the URL of a Redis, or "", and what it is in words."""
    joined = handover.take()
    if "REDIS_URL" in os.environ:
        url = os.environ["REDIS_URL"]
        yield url, "the one in REDIS_URL" if url else "none, as REDIS_URL is empty"
        return
    if joined:
        url = joined["REDIS_URL"]
        yield url, "that of the other running demo" if url else "none"
        return
    for name, program in redis_server.programs(environment).items():
        with redis_server.serving(program) as url:
            if url:
                yield url, name
                return
    yield "", "none found; one process only, others are heard within seconds"


if __name__ == "__main__":
    sys.exit(main())
