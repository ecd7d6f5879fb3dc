"""Fifty browsers that lose their streams at the same moment, or are refused."""

import time
from types import SimpleNamespace

import pytest
from django.conf import settings

from tests.factories import make_users
from tests.waiting import eventually, patience

from .browsers import sign_in
from .pages import STREAM_PATH, until, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

CLIENTS = 50
LARGEST_SHARE = 0.4
CUTS = 3

SITE = {
    # The crowd is one page of frames, and each frame a site of its own name.
    "MIDDLEWARE": [name for name in settings.MIDDLEWARE if "XFrame" not in name],
    "TEST_POLICY": "",
}


def largest_share(times, window=1.0):
    """Return which share of *times* is within one *window* of seconds, at most."""
    return max(
        sum(start <= at < start + window for at in times) for start in times
    ) / len(times)


@pytest.fixture
def crowd(chromium, site, relay, transactional_db):
    """As many streams as clients, through *relay*: each has its own worker."""
    context = chromium.new_context()
    context.set_default_timeout(patience(30_000))
    addresses = []
    for number, user in enumerate(make_users(CLIENTS)):
        url = relay.url.replace("127.0.0.1", f"c{number}.example.test")
        sign_in(context, user, SimpleNamespace(url=url))
        addresses.append(url)
    page = context.new_page()
    page.goto(relay.url.replace("127.0.0.1", "example.test") + "/users/")
    page.evaluate(
        """addresses => {
            for (const address of addresses) {
                const frame = document.createElement("iframe");
                frame.src = address;
                document.body.append(frame);
            }
        }""",
        addresses,
    )
    for frame in page.frames[1:]:
        wait_for_status(frame, "open")
    assert site.streams == CLIENTS
    yield page
    context.close()


# Check 8
@pytest.mark.slow
@pytest.mark.parametrize("site_settings", [SITE])
def test_fifty_clients_that_were_cut_or_refused_at_once_come_back_one_by_one(
    crowd, site, relay
):
    """What they are told is spread, and so are they, where the machine keeps up."""
    # A frame that gave its worker up has left a stream behind.
    eventually(lambda: len(relay.retries) == CLIENTS)
    assert largest_share(relay.retries) <= LARGEST_SHARE

    shares = []
    while not shares or (shares[-1] > LARGEST_SHARE and len(shares) < CUTS):
        shares.append(largest_share(cut(relay)))
        eventually(lambda: site.streams == CLIENTS)
    assert min(shares) <= LARGEST_SHARE, shares

    times = refuse(relay, site)
    assert largest_share(times) <= LARGEST_SHARE, times


def cut(relay):
    """Cut all at once; return after how many seconds each was back."""
    cut_at = time.monotonic()
    relay.drop()
    eventually(
        lambda: len(relay.asked(STREAM_PATH, since=cut_at)) >= CLIENTS, within=30
    )
    times = [at - cut_at for at in relay.asked(STREAM_PATH, since=cut_at)]
    assert len(times) == CLIENTS
    return times


def refuse(relay, site):
    """Refuse all for ten seconds; return after how many more each was back."""
    cut_at = time.monotonic()
    relay.answer(502)
    until(cut_at + 10)
    mended_at = time.monotonic()
    relay.mend()
    eventually(lambda: site.streams == CLIENTS, within=60)
    times = [at - mended_at for at in relay.asked(STREAM_PATH, since=mended_at)]
    assert len(times) == CLIENTS
    return times
