"""
Servers that need not import what each of them would.

Django and Twisted take two thirds of the time that a server takes to start, and a run
of the tests starts two hundred. So one process imports them, and servers are forked
from it. It knows no settings, and imports neither the app nor Twisted's reactor: what
has threads or a selector is each server's own.
"""

import atexit
import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys

# What servers import before they know their settings.
FIRST = (
    "asgiref.sync",
    "channels.layers",
    "channels_redis.pubsub",
    "django.contrib.admin.sites",
    "django.core.asgi",
    "django.db.models",
    "redis.asyncio",
    "autobahn.twisted.websocket",
    "twisted.web.http",
    "uvicorn.main",
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__, *FIRST])


class Fork:
    """``python -m`` *arguments* in a process of its own; for the rest like Popen."""

    def __init__(self, arguments, env, cwd, log):
        self._process = _context.Process(
            target=_run,
            args=(arguments, env, os.fspath(cwd), os.fspath(log)),
            daemon=True,  # it ends with the tests, whatever they forgot
        )
        self._process.start()

    @property
    def pid(self):
        return self._process.pid

    def poll(self):
        """Return its exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self.poll()

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def _run(arguments, env, cwd, log):
    gc.freeze()  # what was imported before stays; to go through it would copy it, too
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(output, stream.fileno())
    os.close(output)
    module, *rest = arguments
    sys.argv = [module, *rest]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        # As an interpreter does that ends; a fork leaves them out.
        atexit._run_exitfuncs()
