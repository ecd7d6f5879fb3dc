"""The app's configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    """
    The app ``notifications``, labelled ``live_notifications``.

    django-notifications-hq has the label ``notifications`` and a recorded
    ``0001_initial``; Django would take this app's for applied.
    """

    name = "notifications"
    label = "live_notifications"
    verbose_name = _("Notifications")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, revocation  # noqa: F401 (registers the checks)

        revocation.connect()
