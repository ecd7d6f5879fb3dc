"""
Chromium, and a site for it: Daphne with Redis, under a strict CSP.

Playwright's event loop runs in the thread of the tests, which Django takes for
async code. It is started once for this package, so that no other test sees it.
"""

import contextlib

import pytest

from notifications.bus import bus
from tests.servers import running_redis
from tests.settings import LAYERS

from .browsers import Sites, Workers, launched, sign_in
from .relay import Relay

pytest.register_assert_rewrite("tests.browser.pages")

from .pages import RECORDER  # noqa: E402 - its assertions explain themselves

# For what takes milliseconds, on a machine that is busy with other tests too.
WITHIN_MS = 15_000

WITHOUT_WORKER = "delete window.SharedWorker"


def pytest_itemcollected(item):
    """Mark what is here: runs without browsers do not even look into it."""
    item.add_marker("browser")


@pytest.fixture(scope="package")
def chromium():
    with (
        pytest.MonkeyPatch.context() as patch,
        launched(WITHIN_MS) as browser,
    ):
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield browser


@pytest.fixture(scope="package")
def workers(chromium):
    return Workers(chromium)


@pytest.fixture
def site_settings():
    """What the site's process has set; parametrize it to change that."""
    return {}


@pytest.fixture(scope="package")
def shared_redis():
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_server(shared_redis):
    """The Redis of all sites. A test may freeze it."""
    yield shared_redis
    shared_redis.thaw()


@pytest.fixture(scope="package")
def sites(django_db_setup, shared_redis):
    sites = Sites(shared_redis.url)
    yield sites
    sites.stop()


@pytest.fixture
def site(chromium, transactional_db, redis_server, sites, settings, site_settings):
    """A running site that hears what the test itself notifies."""
    settings.CHANNEL_LAYERS = {"default": LAYERS["pubsub"](redis_server.url)}
    bus.close()  # what was made before this opened the wire of another layer
    site = sites.get(site_settings)
    yield site
    sites.give_back(site)


@pytest.fixture
def relay(site):
    """A way to *site* that can be cut; ``open_page(at=relay)`` takes it."""
    with Relay(site.port) as relay:
        yield relay


@pytest.fixture
def rung():
    """Where pages get their events: ``shared``, or ``tab`` for want of workers."""
    return "shared"


@pytest.fixture
def open_page(chromium, site, relay, rung):
    """
    Return a function that opens a page of *site*, signed in as a user.

    Pages of one user share a browser context, as tabs do, unless *device* says
    otherwise. At the end, whatever a page or a worker complained about fails the
    test, but for what contains one of *expecting*. Pages are closed before *relay*.
    """
    complaints = []
    contexts = {}
    expected = []

    def complain(text, expecting):
        if not any(each in text for each in expecting):
            complaints.append(text)

    with contextlib.ExitStack() as stack:

        def open_context(user, at, **options):
            context = chromium.new_context(base_url=at.url, **options)
            stack.callback(context.close)
            context.set_default_timeout(WITHIN_MS)
            context.add_init_script(RECORDER)
            if rung == "tab":
                context.add_init_script(WITHOUT_WORKER)
            sign_in(context, user, at)
            return context

        def open_page(user, path="/", *, at=site, device="", expecting=(), **options):
            key = user.pk, at.url, device
            if key not in contexts:
                contexts[key] = open_context(user, at, **options)
            expected.extend(expecting)
            page = contexts[key].new_page()
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

    for kind, text in site.said:
        if kind in {"exception", "error", "warning"}:
            complain(text, expected)
    assert complaints == []
