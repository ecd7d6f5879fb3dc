"""Server, proxy and network fail; then every page shows what the table has."""

import os
import shutil
import socket
import time

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from notifications import clock, outbox
from notifications.api import notify
from notifications.inbox import Inbox
from notifications.models import Notification
from tests.factories import make_notification
from tests.servers import START_SECONDS, Process, free_port, missing
from tests.waiting import eventually, patience

from .pages import (
    STATE_PATH,
    STREAM_PATH,
    badge,
    equal_the_table,
    on_both_rungs,
    shown,
    status,
    until,
    wait_for_status,
)

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

TABS, FEW_TABS = 8, 3
RETURN_SECONDS = 5.0
# What a page may complain about while there is no server: its browser's words.
OUTAGE = ["Failed to load resource", "net::ERR_"]


def slow(*values):
    return pytest.param(*values, marks=[pytest.mark.slow, pytest.mark.timeout(400)])


def open_inboxes(count, open_page, user, at):
    """Open *count* inbox pages that are live, with rows to be changed."""
    for title in ("To be read", "To be unread", "To be recalled"):
        make_notification(user, title)
    Inbox(user).mark_read([Notification.objects.get(title="To be unread").pk])
    pages = [
        open_page(user, "/notifications/", at=at, expecting=OUTAGE)
        for _ in range(count)
    ]
    for page in pages:
        wait_for_status(page, "open")
    return pages


def change_everything(user):
    """Read one, unread one, recall one; have five arrive. Return their ids."""
    read, unread, recalled = Notification.objects.order_by("pk")
    Inbox(user).mark_read([read.pk])
    Inbox(user).mark_unread([unread.pk])
    Notification.objects.filter(pk=recalled.pk).update(expires_at=clock.now())
    outbox.poke_on_commit()
    return [notify(user, f"Arrived {number}")[0].pk for number in range(5)]


def came_back(pages, user, arrived):
    """Check that all *pages* equal the table before long, and had each row once."""
    equal_the_table(pages, user, within=RETURN_SECONDS)
    for page in pages:
        assert sorted(page.evaluate("had")) == arrived


# Check 6
@on_both_rungs
@pytest.mark.parametrize("seconds", [2, slow(10)])
def test_what_is_notified_while_the_server_is_down_comes_once_and_is_said_once(
    seconds, ada, open_page, site, rung
):
    page = open_page(ada, "/notifications/", expecting=OUTAGE)
    wait_for_status(page, "open")

    site.kill()
    back_at = time.monotonic() + seconds
    wait_for_status(page, "reconnecting")
    arrived = [notify(ada, f"Arrived {number}")[0].pk for number in range(5)]
    until(back_at)
    site.start()

    wait_for_status(page, "open")
    came_back([page], ada, arrived)
    assert page.evaluate("told") == ["connecting", "open", "reconnecting", "open"]
    expect(page.locator("[data-announce]")).to_have_text("5 new notifications")
    assert page.evaluate("said") == ["5 new notifications"]


# Check 26
@pytest.mark.parametrize(
    ("site_settings", "told"),
    [
        pytest.param({}, ["15 new notifications"], id="replayed"),
        # More than is replayed: the page reads its newest rows again, in silence.
        pytest.param({"NOTIFICATIONS_REPLAY_LIMIT": 10}, [], id="reset"),
    ],
)
def test_an_old_backlog_is_not_announced_one_by_one(told, ada, open_page, relay):
    page = open_page(ada, "/notifications/", at=relay, expecting=OUTAGE)
    wait_for_status(page, "open")

    relay.refuse()
    wait_for_status(page, "reconnecting")
    for number in range(15):
        notify(ada, f"Number {number}")
    relay.mend()

    equal_the_table([page], ada)
    page.wait_for_function("count => said.length === count", arg=len(told))
    notify(ada, "The end of it")
    page.wait_for_function("() => said.includes('The end of it')")
    assert page.evaluate("said") == [*told, "The end of it"]


# Held, the stream is silent, and so is the one that the watchdog opens after it.
@pytest.mark.parametrize("site_settings", [{"NOTIFICATIONS_HEARTBEAT_SECONDS": 0.5}])
@pytest.mark.parametrize(
    ("network", "seconds", "tabs"),
    [
        ("refuse", 2, FEW_TABS),
        ("hold", 4, FEW_TABS),
        slow("hold", 14, TABS),
        slow("refuse", 60, TABS),
        slow("hold", 60, TABS),
    ],
)
def test_all_tabs_equal_the_table_soon_after_the_laptop_slept(
    network, seconds, tabs, ada, open_page, relay
):
    pages = open_inboxes(tabs, open_page, ada, relay)

    getattr(relay, network)()
    back_at = time.monotonic() + seconds
    arrived = change_everything(ada)
    until(back_at)
    relay.drop()  # what was open before the sleep is dead after it
    relay.mend()

    came_back(pages, ada, arrived)


@pytest.mark.parametrize(("seconds", "tabs"), [(1, FEW_TABS), slow(120, TABS)])
def test_all_tabs_equal_the_table_soon_after_the_server_was_gone(
    seconds, tabs, ada, open_page, site
):
    pages = open_inboxes(tabs, open_page, ada, site)

    site.kill()
    back_at = time.monotonic() + seconds
    arrived = change_everything(ada)
    until(back_at)
    site.start()

    came_back(pages, ada, arrived)


# Check 7
@pytest.mark.parametrize(("path", "rung"), [("/", "shared"), (STREAM_PATH, "tab")])
def test_the_page_recovers_from_a_proxy_that_answers_502_for_five_seconds(
    path, ada, open_page, relay, rung
):
    [page] = open_inboxes(1, open_page, ada, relay)

    relay.answer(502, path)
    back_at = time.monotonic() + 5
    arrived = change_everything(ada)
    until(back_at)
    relay.mend()

    wait_for_status(page, "open")
    came_back([page], ada, arrived)


# Check 7
@on_both_rungs
@pytest.mark.parametrize("seconds", [3, slow(30)])
def test_a_page_whose_session_is_gone_asks_once_and_stops(
    seconds, ada, open_page, relay, rung
):
    [page] = open_inboxes(1, open_page, ada, relay)

    Session.objects.all().delete()
    dropped_at = time.monotonic()
    relay.drop()

    wait_for_status(page, "signed-out")
    signed_out_at = time.monotonic()
    assert shown(page) == {"rows": [], "name": "Notifications", "badge": "0"}
    until(signed_out_at + seconds)
    # Page and source may hear of it one after the other.
    assert len(relay.asked(STREAM_PATH, since=dropped_at)) <= 1
    assert len(relay.asked(STATE_PATH, since=signed_out_at)) <= 1
    assert status(page) == "signed-out"


# Check 7
@on_both_rungs
@pytest.mark.parametrize("seconds", [3, slow(30)])
def test_a_page_that_is_told_to_go_away_does(seconds, ada, open_page, relay, rung):
    [page] = open_inboxes(1, open_page, ada, relay)

    dropped_at = time.monotonic()
    relay.answer(204)

    wait_for_status(page, "signed-out")
    signed_out_at = time.monotonic()
    until(signed_out_at + seconds)
    assert len(relay.asked(STREAM_PATH, since=dropped_at)) == 1
    assert relay.asked(STATE_PATH, since=signed_out_at) == []


class BufferingProxy(Process):
    """nginx in front of *site*, that keeps every answer until it is complete."""

    def __init__(self, site):
        path = os.environ.get("TEST_NGINX") or shutil.which(
            "nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
        )
        if path is None:
            missing("nginx", "apt install nginx-light")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__([path])
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(
            f"{kind}_temp_path {self.directory}/{kind};" for kind in kinds
        )
        user = "user root;" if os.geteuid() == 0 else ""
        self._configuration = f"""
            daemon off; {user} worker_processes 1; error_log stderr;
            pid {self.directory}/pid;
            events {{ worker_connections 64; }}
            http {{
                access_log off; {temporary}
                server {{
                    listen 127.0.0.1:{self.port};
                    location / {{
                        proxy_pass {site.url};
                        # As by default: with 1.1, chunks are passed on as they come.
                        proxy_http_version 1.0;
                        proxy_set_header Host $http_host;
                        proxy_buffering on;
                        proxy_ignore_headers X-Accel-Buffering;
                    }}
                }}
            }}
        """
        self._command += ["-c", f"{self.directory}/nginx.conf", "-p", self.directory]

    def __enter__(self):
        path = f"{self.directory}/nginx.conf"
        with open(path, "w") as configuration:
            configuration.write(self._configuration)
        self.launch()
        eventually(self._answers, within=START_SECONDS)
        return self

    def __exit__(self, *exc_info):
        self.stop()

    def _answers(self):
        assert self.running, self.log
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


@pytest.fixture
def buffering_proxy(site):
    with BufferingProxy(site) as proxy:
        yield proxy


# Check 9
@pytest.mark.nginx
@on_both_rungs
def test_behind_a_proxy_that_buffers_the_page_polls(
    ada, buffering_proxy, open_page, site, rung
):
    page = open_page(ada, "about:blank", at=buffering_proxy)
    said = []
    page.on("console", lambda line: said.append((line.type, line.text)))
    page.goto("/")
    opened_at = time.monotonic()
    notify(ada, "Held up by the proxy")

    wait_for_status(page, "polling")

    assert time.monotonic() < opened_at + patience(15)
    expect(badge(page)).to_have_text("1")
    hints = [line for line in [*said, *site.said] if "buffering" in line[1]]
    assert [kind for kind, _ in hints] == ["info"]


# Check 9
@pytest.mark.nginx
@pytest.mark.slow
def test_behind_a_proxy_that_buffers_what_comes_later_is_shown_by_a_poll(
    ada, buffering_proxy, open_page
):
    page = open_page(ada, at=buffering_proxy)
    wait_for_status(page, "polling")

    notify(ada, "After the first poll")

    expect(badge(page)).to_have_text("1", timeout=70_000)
