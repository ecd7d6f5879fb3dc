"""However the static files are named and wherever they are, the page is live."""

import functools
import http.server
import re
import threading

import pytest
from django.conf import settings
from playwright.sync_api import expect

from notifications.api import notify
from tests.servers import run_command

from .pages import badge, on_both_rungs, transport, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
WHITENOISE = "whitenoise.storage.CompressedManifestStaticFilesStorage"


class OtherOrigin(http.server.SimpleHTTPRequestHandler):
    """Files for pages of any origin, as module scripts need them."""

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def collected(tmp_path, transactional_db):
    """Return a function that collects the static files; it returns the settings."""

    def collect(storage):
        chosen = {
            "STATIC_ROOT": str(tmp_path),
            "STORAGES": {**settings.STORAGES, "staticfiles": {"BACKEND": storage}},
        }
        run_command("collectstatic", "--noinput", settings=chosen)
        return chosen

    return collect


@pytest.fixture
def static_origin(tmp_path):
    """Serve the collected files; return the address."""
    handler = functools.partial(OtherOrigin, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://static.test:{server.server_port}"
        server.shutdown()
        thread.join(10)


@pytest.fixture
def site_settings(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def elsewhere(collected, static_origin):
    """Hashed files on another origin, as on a CDN."""
    return {
        **collected(MANIFEST),
        "STATIC_URL": f"{static_origin}/",
        "TEST_POLICY": (
            f"default-src 'self'; script-src {static_origin}; "
            f"style-src {static_origin}; worker-src 'self'; "
            "require-trusted-types-for 'script'"
        ),
    }


@pytest.fixture
def whitenoise(collected):
    """Hashed and compressed files, and no others, by middleware."""
    middleware = [*settings.MIDDLEWARE]
    middleware.insert(2, "whitenoise.middleware.WhiteNoiseMiddleware")
    return {
        **collected(WHITENOISE),
        "STATIC_URL": "/static/",
        "MIDDLEWARE": middleware,
    }


# Check 35
@on_both_rungs
@pytest.mark.parametrize("site_settings", ["elsewhere", "whitenoise"], indirect=True)
def test_hashed_files_of_any_origin_make_a_live_page(
    ada, open_page, site, site_settings, rung, workers
):
    page = open_page(ada)
    wait_for_status(page, "open")

    notify(ada, "From hashed scripts")

    expect(badge(page)).to_have_text("1")
    assert transport(page) == rung
    sources = page.locator("script[src]").evaluate_all(
        "scripts => scripts.map(script => script.src)"
    )
    base = site_settings["STATIC_URL"]
    for source in sources:
        assert re.search(rf"{base}notifications/js/\w+\.[0-9a-f]{{12}}\.js$", source)
    # A worker must be of the page's own origin, wherever the files are.
    own = [f"{site.url}/notifications/worker/"] * (rung == "shared")
    assert [address.partition("?")[0] for address in workers.addresses] == own
