"""
Chromium, and a site for it: Daphne with Redis, under a strict CSP.

Playwright's event loop runs in the thread of the tests, which Django takes for
async code. It is started once per module, so that no other module sees it.
"""

import contextlib
import os
import shutil

import pytest

from tests.factories import log_in
from tests.servers import LiveServer, missing
from tests.settings import LAYERS

# For what takes milliseconds, on a machine that is busy with other tests too.
WITHIN_MS = 15_000

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium():
    path = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        missing("Chromium", "apt install chromium")
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        missing("Playwright", "pip install -r requirements-dev.txt")
    expect.set_options(timeout=WITHIN_MS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=path,
                args=FLAGS,
                # Left pages keep their streams there: what the script must prevent.
                ignore_default_args=["--disable-back-forward-cache"],
            )
            yield browser
            browser.close()


class Site(LiveServer):
    """The test site, as strict sites serve it."""

    def __init__(self, **options):
        super().__init__("daphne", **options)
        self._command[-1] = "tests.browser.asgi:application"

    @property
    def streams(self):
        return self.counts["streams"]


@pytest.fixture
def site_settings():
    """What the site's process has set; parametrize it to change that."""
    return {}


@pytest.fixture
def site(chromium, transactional_db, redis_server, settings, site_settings):
    """A running site that hears what the test itself notifies."""
    settings.CHANNEL_LAYERS = {"default": LAYERS["pubsub"](redis_server.url)}
    site = Site(redis_url=redis_server.url, settings=site_settings)
    try:
        site.start()
        yield site
    finally:
        site.stop()


@pytest.fixture
def open_page(chromium, site):
    """
    Return a function that opens a page of *site*, signed in as a user.

    Pages of one user share a browser context, as tabs do. At the end, whatever a
    page complained about fails the test, but for what contains one of *expecting*.
    """
    complaints = []
    contexts = {}

    def complain(text, expecting):
        if not any(expected in text for expected in expecting):
            complaints.append(text)

    with contextlib.ExitStack() as stack:

        def open_page(user, path="/", *, expecting=(), **options):
            if user.pk not in contexts:
                context = chromium.new_context(base_url=site.url, **options)
                stack.callback(context.close)
                context.set_default_timeout(WITHIN_MS)
                context.add_cookies(
                    [
                        {"name": name, "value": value, "url": site.url}
                        for name, value in log_in(user).items()
                    ]
                )
                contexts[user.pk] = context
            page = contexts[user.pk].new_page()
            page.on("pageerror", lambda error: complain(str(error), expecting))
            page.on(
                "console",
                lambda line: (
                    complain(line.text, expecting)
                    if line.type in {"error", "warning"}
                    else None
                ),
            )
            page.on(
                "dialog",
                lambda dialog: (complain(dialog.message, ()), dialog.dismiss()),
            )
            page.goto(path)
            return page

        yield open_page

    assert complaints == []
