import json

import pytest

from project import handover


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".demo" / "environment.json"


def test_there_is_nothing_to_take_before_and_after(path):
    assert handover.take(path) == {}

    with handover.offer({"REDIS_URL": "redis://127.0.0.1:1/0"}, path):
        pass

    assert handover.take(path) == {}
    assert list(path.parent.iterdir()) == []


def test_what_is_offered_can_be_taken(path):
    with handover.offer({"REDIS_URL": "redis://127.0.0.1:1/0"}, path):
        taken = handover.take(path)

    assert taken == {"REDIS_URL": "redis://127.0.0.1:1/0"}


def test_what_a_killed_demo_left_behind_is_not_taken(path):
    path.parent.mkdir()
    path.write_text(json.dumps({"REDIS_URL": "redis://127.0.0.1:1/0"}))

    assert handover.take(path) == {}


def test_what_a_killed_demo_left_behind_is_replaced(path):
    path.parent.mkdir()
    path.write_text("{")

    with handover.offer({"REDIS_URL": "redis://127.0.0.1:2/0"}, path):
        taken = handover.take(path)

    assert taken == {"REDIS_URL": "redis://127.0.0.1:2/0"}


def test_only_its_owner_can_read_it(path):
    with handover.offer({"DATABASE_URL": "postgres://me:secret@db/site"}, path):
        mode = path.stat().st_mode

    assert mode & 0o077 == 0
