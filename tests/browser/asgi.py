"""
The test site as a strict one serves it: static files, and a CSP on every answer.

In the admin without Trusted Types, which Django's scripts there do not know.
``TEST_POLICY`` in the settings is another policy, or none if empty; ``{nonce}`` in it
is a nonce of each request's own. The worker's script begins with one that tells of
whatever it says or throws: where DevTools listen to a worker, Chromium does not wake
it from the back/forward cache.
"""

import secrets
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from notifications import worker

TELLTALE = Path(__file__).with_name("telltale.js")
_script = worker.script
worker.script = cache(lambda: TELLTALE.read_bytes() + _script())

from tests.asgi import application as site  # noqa: E402 - its views import that

ADMIN_POLICY = "default-src 'self'"
POLICY = f"{ADMIN_POLICY}; require-trusted-types-for 'script'"


async def guarded(scope, receive, send):
    if scope.get("path") == "/favicon.ico":  # browsers ask, and complain of a 404
        scope = {**scope, "path": "/process/"}
    nonce = secrets.token_urlsafe(16)
    is_admin = scope.get("path", "").startswith("/admin/")
    policy = getattr(settings, "TEST_POLICY", ADMIN_POLICY if is_admin else POLICY)
    policy = policy.format(nonce=nonce)

    async def send_guarded(message):
        if message["type"] == "http.response.start" and policy:
            header = (b"content-security-policy", policy.encode())
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    await site({**scope, "nonce": nonce}, receive, send_guarded)


class StaticFiles(ASGIStaticFilesHandler):
    """Says the same again of a file: to find it anew for each page takes longest."""

    def __init__(self, application):
        super().__init__(application)
        self._answers = {}

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or not self._should_handle(scope["path"]):
            await self.application(scope, receive, send)
            return
        since = dict(scope["headers"]).get(b"if-modified-since")
        asked = scope["method"], scope["path"], since
        if asked not in self._answers:
            answer = []

            async def keep(message):
                answer.append(message)

            await super().__call__(scope, receive, keep)
            self._answers[asked] = answer
        for message in self._answers[asked]:
            await send(message)


# Where files were collected, the test serves those.
application = guarded if settings.STATIC_ROOT else StaticFiles(guarded)
