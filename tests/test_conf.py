import pytest

from notifications.conf import Conf, conf

DEFAULTS = {
    "CHANNEL_LAYER": "default",
    "HEARTBEAT_SECONDS": 15,
    "STREAM_SECONDS": 300,
    "POLL_SECONDS": 10,
    "OVERLAP_SECONDS": 60,
    "REPLAY_LIMIT": 200,
    "MAX_STREAMS_PER_USER": 10,
    "MAX_STREAM_BYTES": 1_000_000,
    "MAX_EVENT_BYTES": 16_384,
    "QUEUE_SIZE": 256,
    "RETENTION_DAYS": 90,
    "BADGE_COUNTS": "unseen",
}


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items())
def test_a_setting_has_the_default_that_is_promised(name, default):
    assert getattr(conf, name) == default


def test_by_default_streams_take_at_most_half_of_the_open_files():
    resource = pytest.importorskip("resource")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft // 2 == conf.MAX_STREAMS


def test_a_setting_is_read_live(settings):
    settings.NOTIFICATIONS_POLL_SECONDS = 2.5

    assert conf.POLL_SECONDS == 2.5

    del settings.NOTIFICATIONS_POLL_SECONDS

    assert conf.POLL_SECONDS == 10


def test_every_setting_is_listed_by_its_full_name_and_says_what_it_is():
    found = Conf.all()

    assert set(found) == {
        *(f"NOTIFICATIONS_{name}" for name in DEFAULTS),
        "NOTIFICATIONS_MAX_STREAMS",
    }
    assert all(setting.doc for setting in found.values())
