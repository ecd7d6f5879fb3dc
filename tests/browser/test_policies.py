"""Every strict Content Security Policy gets a live page, from a worker or without."""

import pytest
from django.conf import settings
from playwright.sync_api import expect

from notifications.api import notify

from .pages import badge, bell, rows, transport, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

MIDDLEWARE = [*settings.MIDDLEWARE, "tests.browser.nonce.with_nonce"]

# Chromium's words where a policy keeps a worker away.
BLOCKED = "Content Security Policy"


def policy(text):
    return {"TEST_POLICY": text, "MIDDLEWARE": MIDDLEWARE}


# Check 12
@pytest.mark.parametrize(
    ("site_settings", "way", "expecting"),
    [
        pytest.param(policy("default-src 'self'"), "shared", [], id="self"),
        pytest.param(
            policy("default-src 'self'; script-src 'nonce-{nonce}'"),
            "tab",
            [BLOCKED],
            id="nonce",
        ),
        pytest.param(
            policy("script-src 'nonce-{nonce}' 'strict-dynamic'; object-src 'none'"),
            "shared",
            [],
            id="strict-dynamic",
        ),
        pytest.param(
            policy(
                "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; "
                "connect-src 'self'; worker-src 'self'"
            ),
            "shared",
            [],
            id="nothing but",
        ),
        pytest.param(
            policy("default-src 'self'; require-trusted-types-for 'script'"),
            "shared",
            [],
            id="trusted types",
        ),
        pytest.param(
            policy(
                "default-src 'self'; require-trusted-types-for 'script'; "
                "trusted-types 'none'"
            ),
            "tab",
            [BLOCKED, "TrustedTypePolicy", "TrustedScriptURL"],
            id="no trusted types",
        ),
    ],
)
def test_under_a_strict_policy_the_page_is_live(way, expecting, ada, open_page, site):
    page = open_page(ada, expecting=expecting)
    wait_for_status(page, "open")

    notify(ada, "Under a policy", body="All the same.")

    expect(badge(page)).to_have_text("1")
    bell(page, "Notifications, 1 unread").click()
    expect(rows(page)).to_contain_text(["Under a policy"])
    assert transport(page) == way
    assert site.streams == 1
