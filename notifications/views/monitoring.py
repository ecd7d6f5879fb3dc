"""What operators ask."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from notifications.health import examine

from .answers import private


@login_not_required
@require_GET
def health(request: HttpRequest) -> HttpResponse:
    """
    Say whether this process does its work: 200 and ``ok``, 503 and ``degraded``.

    ``{"status", "database", "bus", "streams"}``; all but ``status`` for staff
    only. For monitoring rather than a load balancer: with Redis down every
    process is degraded, and all of them still deliver, within
    ``NOTIFICATIONS_POLL_SECONDS`` + 2 s.
    """
    found = examine()
    content: dict[str, object] = {"status": "ok" if found.ok else "degraded"}
    # Without a database nobody can be told from a stranger.
    if found.database and getattr(request.user, "is_staff", False):
        content |= asdict(found)
    return private(JsonResponse(content, status=200 if found.ok else 503))
