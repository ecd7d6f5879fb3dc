"""Chromium, driven by Playwright, and the site that it visits."""

import contextlib
import json
import os
import shutil
import signal

from tests.factories import log_in
from tests.servers import LiveServer, missing
from tests.waiting import eventually

# Chromium takes the last list of these for the only one, and Playwright has one. Of
# that are those that a test could notice; the first three are what the browser makes
# for each window besides: pages of its own, which cost as much as the windows
# themselves, and a process in reserve.
WITHOUT = [
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxPopup",
    "SpareRendererForSitePerProcess",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "OptimizationHints",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
]

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(WITHOUT)}",
    # Names that are not localhost: there, plain HTTP is no secure context.
    "--host-resolver-rules=MAP *.test 127.0.0.1",
]

# After its browser left, or a test mended what it had broken.
LEFT_SECONDS = 10


@contextlib.contextmanager
def launched(within_ms):
    """Run Chromium; what it is asked for may take *within_ms*."""
    path = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        missing("Chromium", "apt install chromium")
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        missing("Playwright", "pip install -r requirements-dev.txt")
    expect.set_options(timeout=within_ms)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=FLAGS,
            # Left pages keep their streams there: what the script must prevent.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


class Workers:
    """
    The shared workers of a browser, which no page lists.

    Looked at from outside: see asgi.py for why nothing is attached to them.
    """

    def __init__(self, browser):
        self._session = browser.new_browser_cdp_session()

    @property
    def addresses(self):
        """Where the scripts of those that there are come from."""
        found = self._session.send("Target.getTargets")["targetInfos"]
        return [each["url"] for each in found if each["type"] == "shared_worker"]


class Site(LiveServer):
    """The test site, as strict sites serve it."""

    def __init__(self, **options):
        super().__init__("daphne", **options)
        self._command[-1] = "tests.browser.asgi:application"

    @property
    def streams(self):
        return self.counts["streams"]

    @property
    def said(self):
        """What the shared workers of its pages said and threw: ``[type, text]``."""
        return self.get("/said/")

    def streams_of(self, user):
        return self.counts["recipients"].count(str(user.pk))


class Sites:
    """
    Running sites, by their settings; for one test after another.

    Django takes a second to start, a test hardly longer. *at_most* of them run.
    """

    def __init__(self, redis_url, at_most=3):
        self._redis_url = redis_url
        self._at_most = at_most
        self._sites = {}  # the one that was asked for last is last

    def get(self, settings):
        key = json.dumps(settings, sort_keys=True)
        site = self._sites.pop(key, None)
        if site is None:
            while len(self._sites) >= self._at_most:
                self._sites.pop(next(iter(self._sites))).stop()
            site = Site(redis_url=self._redis_url, settings=settings)
            site.start()
        self._sites[key] = site
        site.get("/begin/")
        return site

    def give_back(self, site):
        """Have *site* be as new; what cannot be is ended, and fails the test."""
        try:
            site.signal(signal.SIGCONT)
            eventually(lambda: site.streams == 0, within=LEFT_SECONDS)
            site.check()
        except BaseException:
            self._sites = {key: one for key, one in self._sites.items() if one != site}
            site.stop()
            raise

    def stop(self):
        for site in self._sites.values():
            site.stop()


def sign_in(context, user, at):
    """Give *context* a new session of *user*, for the site *at* an address."""
    context.add_cookies(
        [
            {"name": name, "value": value, "url": at.url}
            for name, value in log_in(user).items()
        ]
    )
