"""What every view answers with, and how it is told who asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, transaction
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.crypto import constant_time_compare

from notifications.events import Cursor
from notifications.exceptions import InvalidCursor
from notifications.filters import Filter, View
from notifications.revocation import page_key

SEARCH_LENGTH = 200

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Response = TypeVar("Response", bound=HttpResponseBase)


class BadRequest(Exception):
    """Something in the request cannot be understood; the text says what."""


def outside_transactions(view: Endpoint) -> Endpoint:
    """Have no ``ATOMIC_REQUESTS`` apply to *view*, whichever database says so."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


def forget_session(request: HttpRequest) -> None:
    """
    Have the answer to *request*, which no user has made, renew no session.

    With SESSION_SAVE_EVERY_REQUEST the middleware would save it, and an open page
    would keep one that is to time out.
    """
    if hasattr(request, "session"):
        del request.session


def private(response: Response) -> Response:
    """Forbid every cache to keep or change *response*."""
    response.headers["Cache-Control"] = "private, no-store, no-transform"
    patch_vary_headers(response, ["Cookie"])
    return response


def refusal(
    status: int, detail: str, headers: dict[str, str] | None = None
) -> JsonResponse:
    return private(JsonResponse({"detail": detail}, status=status, headers=headers))


def signed_in(request: HttpRequest) -> AbstractBaseUser:
    """Return the user, where a view has refused anonymous visitors."""
    return cast(AbstractBaseUser, request.user)


def is_for(request: HttpRequest, user: AbstractBaseUser) -> bool:
    """
    Whether the page that asks, if it says so with ``user=``, was made for *user*.

    An old tab, or a page that Back restores, may be of whoever was signed in
    before. It must hear that they are not any more, and nothing of anybody else.
    """
    given = request.GET.get("user")
    return given is None or constant_time_compare(given, page_key(user))


def parse_filter(request: HttpRequest) -> Filter:
    """Return what ``view=``, ``category=`` and ``q=`` ask for."""
    view = request.GET.get("view", View.ALL)
    if view not in set(View):
        raise BadRequest(f"view is {view[:40]!r}; there are {', '.join(View)}.")
    category = request.GET.get("category", "").replace("\0", "")
    search = request.GET.get("q", "").replace("\0", "")
    if len(search) > SEARCH_LENGTH:
        raise BadRequest(f"q is {len(search)} characters; {SEARCH_LENGTH} will do.")
    return Filter(View(view), category, search)


def parse_cursor(name: str, text: str) -> Cursor | None:
    try:
        return Cursor.parse(text) if text else None
    except InvalidCursor:
        raise BadRequest(f"{name} is {text[:60]!r}, which is no cursor.") from None
