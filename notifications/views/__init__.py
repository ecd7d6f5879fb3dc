"""
The pages and endpoints under ``include("notifications.urls")``.

Nothing changes on GET, every change is bound to the signed-in user, nothing of
theirs may be cached. An id of somebody else's is 404, like one that never was.
"""

from .api import archived, list_notifications, read, seen, state, unarchived, unread
from .monitoring import health
from .pages import inbox, worker
from .streams import stream

__all__ = [
    "archived",
    "health",
    "inbox",
    "list_notifications",
    "read",
    "seen",
    "state",
    "stream",
    "unarchived",
    "unread",
    "worker",
]
