"""The demo site as scripts/demo.py runs it: its own settings, behind Daphne."""

import http.cookiejar
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest
from components import COMPONENTS
from environment import ROOT
from ports import HOST, accepts, free_port, wait_until
from processes import running

from tests.servers import missing

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


class Browser:
    """A visitor with cookies, who is nobody until signed in."""

    def __init__(self, site):
        self.site = site
        self.cookies = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(cookies)

    def open(self, path, **fields):
        """Return the response to a GET, or to a POST if there are *fields*."""
        data = None
        if fields:
            token = next(c.value for c in self.cookies if c.name == "csrftoken")
            fields["csrfmiddlewaretoken"] = token
            data = urllib.parse.urlencode(fields).encode()
        return self.opener.open(self.site + path, data, timeout=10)

    def __call__(self, path, **fields):
        """Return the page at *path*, or where its form leads."""
        with self.open(path, **fields) as response:
            return response.read().decode()

    def sign_in(self, name):
        self("/accounts/login/")
        self("/accounts/login/", username=name, password=name)
        return self

    def events(self):
        """Yield ``(name, data)`` of what the stream brings."""
        with self.open("/notifications/stream/") as stream:
            name = ""
            for line in stream:
                field, _, value = line.decode().rstrip().partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)


@pytest.fixture
def browser(site):
    return Browser(site)


# Signed in once for all tests: passwords are slow to check, as they should be.
@pytest.fixture(scope="module")
def alice(site):
    return Browser(site).sign_in("alice")


@pytest.fixture(scope="module")
def bob(site):
    return Browser(site).sign_in("bob")


@pytest.fixture(scope="module")
def admin(site):
    return Browser(site).sign_in("admin")


def inbox(browser, search=""):
    """Return the titles in the inbox, or those that *search* finds."""
    page = browser(f"/notifications/?q={search}")
    main = page.partition("<main")[2].partition("<template")[0]
    return re.findall(r'data-slot="title" dir="auto">([^<]+)<', main)


def test_the_accounts_and_what_is_in_their_inbox_are_created_once(manage, bob):
    before = inbox(bob)

    again = manage("demo_accounts")

    assert again.returncode == 0
    assert again.stdout == ""
    assert {"Welcome to Harbour", "Order 1042 was paid"} <= set(before)
    assert inbox(bob) == before


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


@pytest.mark.parametrize("path", ["/", "/workshop/", "/notifications/"])
def test_everything_a_page_loads_is_there(alice, path):
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', alice(path))

    assert any(path.startswith("/static/notifications/") for path in loaded)
    assert all(alice(path) for path in loaded)


@pytest.mark.parametrize("path", ["/", "/notifications/", "/admin/"])
def test_every_page_has_a_strict_policy(admin, path):
    with admin.open(path) as response:
        assert response.headers["Content-Security-Policy"] == "default-src 'self'"


def test_a_visitor_signs_in_by_one_button(browser):
    form = (
        browser("/").partition('action="/accounts/login/"')[2].partition("</form>")[0]
    )
    fields = dict(re.findall(r'name="(\w+)" value="(\w+)"', form))
    del fields["csrfmiddlewaretoken"]

    page = browser("/accounts/login/", **fields)

    assert fields == {"username": "alice", "password": "alice"}
    assert "Good to see you, alice" in page


def test_who_is_notified_on_the_desk_finds_it_in_the_inbox(alice, bob):
    alice(
        "/",
        recipient="bob",
        title="The kettle boils",
        level="30",
        category="team",
        url="/workshop/",
    )

    page = bob("/notifications/?category=team")
    assert "The kettle boils" in page
    assert 'href="/workshop/"' in page.partition("The kettle boils")[0][-200:]
    assert "The kettle boils" not in inbox(alice)


def test_what_is_not_filled_in_is_said(alice):
    page = alice("/", recipient="nobody", title="")

    assert "This field is required." in page
    assert "Select a valid choice." in page


def test_staff_tell_those_who_signed_in_lately(admin, alice):
    admin("/broadcast/", title="We close at four", audience="recent", level="20")

    assert "We close at four" in inbox(alice)


def test_others_tell_nobody(alice):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        alice("/broadcast/", title="Hello, all", audience="everyone", level="20")


def test_jobs_tell_how_they_go_and_leave_a_notification(alice):
    events = alice.events()
    assert next(events)[0] == "hello"
    for job in ["export", "roast", "ask"]:
        alice(f"/workshop/{job}/", go="1")

    heard = []
    while sum(name == "complete" for name, _ in heard) < 3:
        heard.append(next(events))

    assert [data["value"] for name, data in heard if name == "progress"][-1] == 100
    lines = [data["line"] for name, data in heard if name == "log"]
    assert "first crack" in lines[4]
    answer = "".join(data["text"] for name, data in heard if name == "token")
    assert answer.startswith("With this batch, start at 18 grams")
    assert heard.count(("complete", {"job": "ask"})) == 1
    assert {"Your export is ready", "Batch 319 is roasted"} <= set(inbox(alice))
    events.close()


def test_a_job_that_there_is_not_is_not_found(alice):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        alice("/workshop/nothing/", go="1")


@pytest.mark.browser
def test_pictures_are_taken_of_it_and_no_page_complains(site, tmp_path):
    if COMPONENTS[0].path is None:
        missing("Chromium", "apt install chromium")
    names = ["toasts", "workshop"]
    command = [sys.executable, "scripts/pictures.py", site, str(tmp_path), *names]

    taken = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=200
    )

    assert taken.returncode == 0, taken.stderr
    assert sorted(path.stem for path in tmp_path.iterdir()) == names


def test_the_language_that_a_visitor_chooses_is_spoken(bob):
    titles = {
        "de": "Bestellung 1042 ist bezahlt",
        "fr": "La commande 1042 est payée",
        "es": "El pedido 1042 está pagado",
        "ar": "تم دفع الطلب 1042",
        "en": "Order 1042 was paid",
    }
    for language, title in titles.items():
        bob("/i18n/setlang/", language=language, next="/")

        direction = "rtl" if language == "ar" else "ltr"
        assert f'<html lang="{language}" dir="{direction}">' in bob("/")
        assert inbox(bob, "1042") == [title]
