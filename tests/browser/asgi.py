"""
The test site as a strict one serves it: static files, and a CSP on every answer.

Except in the admin, whose scripts are Django's.
"""

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from tests.asgi import application as site

POLICY = "default-src 'self'; require-trusted-types-for 'script'"


async def guarded(scope, receive, send):
    if scope.get("path") == "/favicon.ico":  # browsers ask, and complain of a 404
        scope = {**scope, "path": "/process/"}

    async def send_guarded(message):
        is_ours = not scope.get("path", "").startswith("/admin/")
        if message["type"] == "http.response.start" and is_ours:
            policy = (b"content-security-policy", POLICY.encode())
            message = {**message, "headers": [*message["headers"], policy]}
        await send(message)

    await site(scope, receive, send_guarded)


application = ASGIStaticFilesHandler(guarded)
