"""How a broadcast will look: the partials that show it, with what is in the form."""

from __future__ import annotations

from typing import Any

from notifications import clock
from notifications.filters import Filter
from notifications.models import Broadcast

SCHEMES = ("light", "dark")


def preview(broadcast: Broadcast | None) -> dict[str, Any]:
    """Return the context of ``notifications/admin/_preview.html``."""
    shown = Broadcast(publish_at=clock.now())
    if broadcast is not None:
        for name in ("title", "body", "url", "level", "category", "translations"):
            setattr(shown, name, getattr(broadcast, name))
        shown.dismissible = broadcast.dismissible
        shown.placement = broadcast.placement
    return {"notification": shown, "schemes": SCHEMES, "where": Filter()}
