"""
Signals a project may connect to. Receivers of the app's own are elsewhere.

``notification_announced``: a committed notification was put on the wire. Sent by
the process that announced it, with ``notifications`` (the rows), at most 500 at
a time. ``inbox_changed``: one user read, unread, archived or saw something; sent
after commit with ``user`` and ``state`` (the data of the ``state`` event).
"""

from django.dispatch import Signal

notification_announced = Signal()
inbox_changed = Signal()
