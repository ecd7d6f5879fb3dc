import sys
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks

from notifications import checks
from notifications.conf import Conf
from tests.servers import redis_layer

URL = "redis://127.0.0.1:6379/0"
PUBSUB = redis_layer("pubsub", URL)


def found(*wanted):
    messages = run_checks(tags=[checks.TAG])
    return [message for message in messages if not wanted or message.id in wanted]


@pytest.fixture(autouse=True)
def _healthy(settings):
    settings.CHANNEL_LAYERS = PUBSUB


def test_a_project_set_up_as_the_readme_says_hears_nothing():
    assert found() == []


def test_without_the_layer_it_says_that_delivery_is_by_sweep(settings):
    settings.NOTIFICATIONS_CHANNEL_LAYER = "fast"

    [message] = found()

    assert message.id == "notifications.W001"
    assert "'fast'" in message.msg
    assert "by the sweep" in message.msg


def test_an_in_memory_layer_is_for_development(settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": checks.IN_MEMORY}}

    settings.DEBUG = True
    in_development = found()
    settings.DEBUG = False
    in_production = found()

    assert in_development == []
    assert [message.id for message in in_production] == ["notifications.W002"]


def core(host):
    hosts = [] if host is None else [host]
    return {"default": {"BACKEND": checks.CORE, "CONFIG": {"hosts": hosts}}}


@pytest.mark.parametrize(
    "host",
    [URL, ("127.0.0.1", 6379), {"address": URL}, None,
     {"address": URL, "socket_timeout": 5}],
)  # fmt: skip
def test_a_core_layer_that_redis_py_would_cut_is_named(settings, host):
    settings.CHANNEL_LAYERS = core(host)

    [message] = found()

    assert message.id == "notifications.W003"
    assert "socket_timeout" in message.hint


@pytest.mark.parametrize("timeout", [15, 5.5, None])
def test_a_core_layer_with_a_long_enough_timeout_is_fine(settings, timeout):
    settings.CHANNEL_LAYERS = core({"address": URL, "socket_timeout": timeout})

    assert found() == []


def test_an_older_redis_py_has_no_such_timeout(settings, monkeypatch):
    monkeypatch.setattr(checks.metadata, "version", lambda name: "7.4.1")
    settings.CHANNEL_LAYERS = core(URL)

    assert found() == []


def test_a_misspelt_setting_is_named_with_the_right_one(settings):
    settings.NOTIFICATIONS_HEARTBEAT_SECOND = 10

    [message] = found()

    assert message.id == "notifications.W004"
    assert message.hint == "Did you mean NOTIFICATIONS_HEARTBEAT_SECONDS?"


def numbers():
    return [
        name
        for name, setting in Conf.all().items()
        if not isinstance(setting.default, str)
    ]


@pytest.mark.parametrize("value", [0, -1, None, "10", True, [], float("nan")])
@pytest.mark.parametrize("name", numbers())
def test_an_impossible_value_is_an_error(settings, name, value):
    setattr(settings, name, value)

    messages = found("notifications.E001")

    assert [name in message.msg for message in messages] == [True]


@pytest.mark.parametrize("name", ["CHANNEL_LAYER", "BADGE_COUNTS"])
def test_a_text_has_to_be_text(settings, name):
    setattr(settings, f"NOTIFICATIONS_{name}", None)

    assert found("notifications.E001")


def test_a_badge_counts_one_of_two_things(settings):
    settings.NOTIFICATIONS_BADGE_COUNTS = "all"

    [message] = found()

    assert message.id == "notifications.E001"
    assert '"unseen" or "unread"' in message.msg


@pytest.mark.parametrize(("overlap", "ids"), [(53, []), (52.9, ["notifications.E002"])])
def test_the_overlap_must_cover_two_sweeps(settings, overlap, ids):
    settings.NOTIFICATIONS_POLL_SECONDS = 20
    settings.NOTIFICATIONS_OVERLAP_SECONDS = overlap

    assert [message.id for message in found()] == ids


def test_sessions_are_missed(settings):
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "django.contrib.sessions"
    ]

    assert [message.id for message in found()] == ["notifications.W005"]


def test_an_authentication_middleware_is_missed(settings):
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]

    assert [message.id for message in found()] == ["notifications.W007"]


@pytest.mark.parametrize(
    ("module", "patched"),
    [
        ("gevent.monkey", SimpleNamespace(is_module_patched=lambda name: True)),
        ("eventlet.patcher", SimpleNamespace(is_monkey_patched=lambda name: True)),
    ],
)
def test_replaced_threads_are_named(monkeypatch, module, patched):
    monkeypatch.setitem(sys.modules, module, patched)

    assert [message.id for message in found()] == ["notifications.W006"]


def test_urls_that_are_not_included_are_an_error_with_the_line_to_add(settings):
    settings.ROOT_URLCONF = "tests.nourls"

    [message] = found()

    assert message.id == "notifications.E003"
    assert 'include("notifications.urls")' in message.hint
    assert "tests.nourls" in message.hint
