"""What the demo adds to the app's registries: its categories, and an audience."""

from datetime import datetime, timedelta
from typing import Any

from django.apps import AppConfig
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

RECENT_DAYS = 30


class ProjectConfig(AppConfig):
    name = "project"

    def ready(self) -> None:
        # Not above: they need models, which are not loaded when this module is.
        from django.contrib.auth import get_user_model

        from notifications import audiences, categories

        categories.register("orders", _("Orders"))
        categories.register("roasting", _("Roasting"))
        categories.register("team", _("Team"))
        audiences.register(
            "recent",
            _("Signed in during the last 30 days"),
            users=lambda: get_user_model().objects.filter(
                is_active=True, last_login__gte=recently()
            ),
            includes=was_here_recently,
        )


def recently() -> datetime:
    return timezone.now() - timedelta(days=RECENT_DAYS)


def was_here_recently(user: Any) -> bool:
    """The same question of one user, answered without a query."""
    last_login = user.last_login
    return user.is_active and last_login is not None and last_login >= recently()
