"""
The script of the SharedWorker, and the address that names its version.

Served by a view, because a worker must be of the page's own origin, and static
files may be on another.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from django.urls import reverse


@cache
def script() -> bytes:
    """Return the script, which pages without a SharedWorker load as static file."""
    path = files("notifications") / "static/notifications/js/source.js"
    return path.read_bytes()


@cache
def version() -> str:
    """Return 12 hex digits that change whenever the script does."""
    return hashlib.sha256(script()).hexdigest()[:12]


def worker_url() -> str:
    """Return the script's address; pages with different scripts share no worker."""
    return f"{reverse('notifications:worker')}?v={version()}"
