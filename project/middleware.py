"""A strict Content Security Policy on every page, the admin's too."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

POLICY = "default-src 'self'"


@sync_and_async_middleware  # one that is only sync would cost each stream a thread
def content_security_policy(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]:
    """From Django 6.0 on, ``SECURE_CSP`` and Django's own middleware do this."""

    def guarded(request: HttpRequest) -> HttpResponse:
        return with_policy(get_response(request))

    async def aguarded(request: HttpRequest) -> HttpResponse:
        return with_policy(await get_response(request))

    return aguarded if iscoroutinefunction(get_response) else guarded


def with_policy(response: HttpResponse) -> HttpResponse:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response
