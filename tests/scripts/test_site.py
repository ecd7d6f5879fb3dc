"""The demo site as scripts/demo.py runs it: its own settings, behind Daphne."""

import http.cookiejar
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest
from environment import ROOT
from ports import HOST, accepts, free_port, wait_until
from processes import running

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    database = tmp_path_factory.mktemp("site") / "db.sqlite3"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": f"sqlite:///{database}",
        "DEBUG": "on",
        "REDIS_URL": "",
    }


@pytest.fixture(scope="module")
def manage(variables):
    """Return a function that runs a management command of the site."""

    def manage(*arguments, **changed):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=variables | changed,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert manage("migrate").returncode == 0
    return manage


@pytest.fixture(scope="module")
def site(manage, variables):
    """The address of the site, which is being served."""
    assert manage("demo_accounts").returncode == 0
    port = free_port()
    command = [sys.executable, "-m", "daphne", "-v", "0", "-b", HOST, "-p", str(port)]
    command += ["project.asgi:application"]
    with running(command, cwd=ROOT, env=variables) as server:
        assert wait_until(lambda: accepts(port), 30)
        yield f"http://{HOST}:{port}"
        assert server.poll() is None


@pytest.fixture
def browser(site):
    """Return a function that fetches a path, and posts *fields* if there are some."""
    cookies = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))

    def fetch(path, **fields):
        data = None
        if fields:
            token = next(c.value for c in cookies if c.name == "csrftoken")
            fields["csrfmiddlewaretoken"] = token
            data = urllib.parse.urlencode(fields).encode()
        with opener.open(site + path, data, timeout=10) as response:
            return response.read().decode()

    return fetch


@pytest.fixture
def alice(browser):
    """A browser in which alice is signed in."""
    browser("/accounts/login/")
    browser("/accounts/login/", username="alice", password="alice")
    return browser


def test_the_accounts_are_created_once(manage):
    manage("demo_accounts")

    again = manage("demo_accounts")

    assert again.returncode == 0
    assert again.stdout == ""


def test_the_accounts_are_refused_where_debug_is_off(manage):
    refused = manage("demo_accounts", DEBUG="0")

    assert refused.returncode == 1
    assert "with DEBUG on" in refused.stderr


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/accounts/login/",
        "/admin/login/",
        "/favicon.ico",
        "/static/admin/css/base.css",
        "/static/project/site.css",
    ],
)
def test_a_visitor_gets_the_page(browser, path):
    assert browser(path)


def test_everything_the_home_page_loads_is_there(alice):
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', alice("/"))

    assert any(path.startswith("/static/notifications/") for path in loaded)
    assert all(alice(path) for path in loaded)


def test_who_is_notified_on_the_home_page_finds_it_in_the_inbox(alice):
    alice("/", recipient="alice", title="Your export is ready")

    assert "Your export is ready" in alice("/notifications/")


def test_what_is_not_filled_in_is_said(alice):
    page = alice("/", recipient="nobody", title="")

    assert "This field is required." in page
    assert "Select a valid choice." in page
