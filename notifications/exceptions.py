"""What the app raises. Each also is the builtin that a caller would expect."""


class NotificationsError(Exception):
    """Base class; catch it, never raise it."""


class InvalidCursor(NotificationsError, ValueError):
    """The text is not ``<announced_at in microseconds>-<id>``."""


class InvalidEvent(NotificationsError, ValueError):
    """An event's name or data cannot be put on a stream."""


class InvalidNotification(NotificationsError, ValueError):
    """A notification's content or recipient cannot be stored."""


class UnknownAudience(NotificationsError, LookupError):
    """No audience is registered under that key."""


class UnknownCategory(NotificationsError, LookupError):
    """No category is registered under that slug."""
