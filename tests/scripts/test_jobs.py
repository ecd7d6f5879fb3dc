"""The demo's jobs, where they go wrong."""

import threading

import pytest
from django.contrib.auth import get_user_model

from project import jobs


@pytest.fixture
def ada():
    """A user who was stored, as far as one can tell."""
    ada = get_user_model()(pk=7)
    ada._state.adding = False
    return ada


def events(sent):
    return [message["body"].partition("\n")[0] for message in sent]


def test_a_job_that_fails_says_so_and_may_be_started_again(ada, sent, monkeypatch):
    def fail(user):
        raise OSError("The disk is full.")

    monkeypatch.setitem(jobs.JOBS, "export", fail)
    monkeypatch.setattr(jobs, "running", {(ada.pk, "export")})

    with pytest.raises(OSError, match="disk is full"):
        jobs.run((ada.pk, "export"), ada, "en")

    assert events(sent) == ["event: status", "event: failed"]
    assert jobs.running == set()


def test_a_job_that_runs_is_not_started_again(ada, sent, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def wait(user):
        begun.set()
        assert go_on.wait(10)

    monkeypatch.setitem(jobs.JOBS, "export", wait)
    jobs.start("export", ada)
    assert begun.wait(10)

    jobs.start("export", ada)
    threads = [each for each in threading.enumerate() if each.name == "export"]
    go_on.set()
    for thread in threads:
        thread.join(10)

    assert len(threads) == 1
    assert events(sent) == ["event: status", "event: complete"]
