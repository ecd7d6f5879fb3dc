"""The admin: look at notifications; write, send and follow broadcasts."""

from .broadcasts import BroadcastAdmin, BroadcastAdminMixin
from .personal import NotificationAdmin
from .users import NotifyUsersMixin

__all__ = [
    "BroadcastAdmin",
    "BroadcastAdminMixin",
    "NotificationAdmin",
    "NotifyUsersMixin",
]
