"""
The test site as a strict one serves it: static files, and a CSP on every answer.

Except in the admin, whose scripts are Django's. ``TEST_POLICY`` in the settings is
another policy, or none if empty; ``{nonce}`` in it is a nonce of each request's own.
"""

import secrets

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from tests.asgi import application as site

POLICY = "default-src 'self'; require-trusted-types-for 'script'"


async def guarded(scope, receive, send):
    if scope.get("path") == "/favicon.ico":  # browsers ask, and complain of a 404
        scope = {**scope, "path": "/process/"}
    nonce = secrets.token_urlsafe(16)
    policy = getattr(settings, "TEST_POLICY", POLICY).format(nonce=nonce)
    is_ours = not scope.get("path", "").startswith("/admin/")

    async def send_guarded(message):
        if message["type"] == "http.response.start" and policy and is_ours:
            header = (b"content-security-policy", policy.encode())
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    await site({**scope, "nonce": nonce}, receive, send_guarded)


# Where files were collected, the test serves those.
application = guarded if settings.STATIC_ROOT else ASGIStaticFilesHandler(guarded)
