"""What these tests lean on."""

import pytest

from tests.waiting import eventually

from .pages import transport, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]


def test_what_a_worker_throws_is_told(ada, open_page, site):
    page = open_page(ada, expecting=["of null"])
    wait_for_status(page, "open")
    assert transport(page) == "shared"
    assert site.said == []

    page.evaluate(
        """() => {
            const { worker, user } = document.querySelector("notification-stream")
                .dataset;
            const name = `notifications:${user}`;
            const rules = { createScriptURL: (url) => url };
            const policy = trustedTypes.createPolicy("test", rules);
            const own = new SharedWorker(policy.createScriptURL(worker), { name });
            own.port.postMessage(null);
        }"""
    )

    eventually(lambda: site.said)
    [(kind, text)] = site.said
    assert kind == "exception"
    assert "of null" in text


def test_a_worker_that_its_only_page_left_serves_the_next_at_once(ada, open_page):
    page = open_page(ada)
    wait_for_status(page, "open")

    for path in ("/", "/site/", "/notifications/"):
        page.goto(path)
        wait_for_status(page, "open")
        assert transport(page) == "shared"
