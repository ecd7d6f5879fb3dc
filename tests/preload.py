"""
``python -m tests.preload PORT tests.asgi:application``: uvicorn in a forked worker.

What ``gunicorn --preload`` does: the application is imported, and here the bus and
the hub are in use too, before the worker is forked. The parent stays, and ends
with its worker.
"""

import os
import signal
import sys
import warnings

import uvicorn
from django.db import connections

from .asgi import application

# What needs the apps that this has loaded.
from notifications.bus import bus  # isort: skip
from notifications.hub import hub  # isort: skip

# From Python 3.12 on, forking beside a thread warns. It is what this is about.
warnings.simplefilter("ignore", DeprecationWarning)


def main(port):
    hub.listen()
    if not bus.wait_until_healthy(10):
        sys.exit("The parent's bus does not carry.")
    connections.close_all()
    if worker := os.fork():
        signal.signal(signal.SIGTERM, lambda *args: os.kill(worker, signal.SIGTERM))
        _, status = os.waitpid(worker, 0)
        sys.exit(os.waitstatus_to_exitcode(status))
    uvicorn.run(
        application, port=port, log_level="warning", timeout_graceful_shutdown=2
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
