from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications import broadcasts, clock
from notifications.constants import Level
from notifications.models import Notification, NotificationQuerySet
from tests.factories import make_notification

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def run(*arguments, capsys):
    call_command(*arguments)
    return capsys.readouterr().out


def stored():
    return [
        (row.recipient, row.audience, row.title)
        for row in Notification.objects.order_by("pk")
    ]


def test_notify_tells_users_by_the_name_they_sign_in_with(ada, bob, capsys):
    names = [user.get_username() for user in (ada, bob)]

    output = run("notify", *names, "Hello", capsys=capsys)

    assert stored() == [(ada, "", "Hello"), (bob, "", "Hello")]
    assert "2" in output


def test_notify_takes_what_is_shown(ada):
    call_command(
        "notify", ada.get_username(), "Hello", body="Body", url="/a/", level="warning"
    )

    row = Notification.objects.get()
    assert (row.body, row.url, row.level) == ("Body", "/a/", Level.WARNING)


def test_notify_stores_nothing_where_one_name_is_unknown(ada):
    with pytest.raises(CommandError, match="nobody"):
        call_command("notify", ada.get_username(), "nobody", "Hello")

    assert stored() == []


def test_notify_says_what_is_wrong(ada):
    with pytest.raises(CommandError, match="url"):
        call_command("notify", ada.get_username(), "Hello", url="javascript:alert(1)")


def test_broadcast_reaches_everyone_and_says_how_many_that_is(ada, bob, capsys):
    output = run("broadcast", "Hello", capsys=capsys)

    assert stored() == [(None, "everyone", "Hello")]
    assert "2" in output


def test_broadcast_takes_an_audience(staff):
    call_command("broadcast", "Hello", audience="staff")

    assert stored() == [(None, "staff", "Hello")]


def test_broadcast_to_an_unknown_audience_names_those_there_are():
    with pytest.raises(CommandError, match="everyone"):
        call_command("broadcast", "Hello", audience="stuff")


def test_broadcast_takes_what_the_admins_form_takes(ada, bob):
    later = timezone.now() + DAY

    call_command(
        "broadcast",
        "Hello",
        "--audience=users",
        f"--users={ada.get_username()}",
        "--placement=banner",
        "--not-dismissible",
        f"--expires-at={later.isoformat()}",
        '--translations={"de": {"title": "Hallo"}}',
    )

    row = Notification.objects.get()
    assert list(row.users.all()) == [ada]
    assert (row.placement, row.dismissible) == ("banner", False)
    assert row.expires_at == later
    assert row.translations == {"de": {"title": "Hallo"}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--not-dismissible"], "stay for good"),
        (["--audience=users"], "users"),
        (["--audience=users", "--users=nobody"], "nobody"),
        (["--translations={"], "not JSON"),
        (["--translations=[]"], "translations"),
        (["--placement=sky"], "sky"),
        (["--size=7"], "add --size 0"),
    ],
)
def test_broadcast_refuses_what_the_admins_form_refuses(db, options, message):
    with pytest.raises(CommandError, match=message):
        call_command("broadcast", "Hello", *options)

    assert stored() == []


@pytest.mark.parametrize("expiry", [[], ["--expires-at=2020-02-01T12:00"]])
def test_broadcast_is_not_dated_back(ada, expiry):
    message = r"2020-01-01T12:00:00\+01:00, which lies in the past.* to publish now"

    with pytest.raises(CommandError, match=message):
        call_command("broadcast", "Hello", "--publish-at=2020-01-01T12:00", *expiry)

    assert stored() == []


def test_broadcast_takes_a_moment_to_come_by_the_databases_clock(ada, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr(clock, "now", lambda: now - DAY)

    call_command("broadcast", "Hello", f"--publish-at={now.isoformat()}")
    with pytest.raises(CommandError, match="lies in the past"):
        call_command("broadcast", "Hello", f"--publish-at={(now - DAY).isoformat()}")

    assert [row.publish_at for row in Notification.objects.all()] == [now]


@pytest.mark.parametrize("option", ["--publish-at", "--expires-at"])
@pytest.mark.parametrize("moment", ["2030-03-31T02:30", "2030-10-27T02:30"])
def test_broadcast_asks_which_hour_is_meant_when_clocks_change(ada, option, moment):
    with pytest.raises(CommandError, match="Give its offset"):
        call_command("broadcast", "Hello", f"{option}={moment}")
    assert stored() == []

    call_command("broadcast", "Hello", f"{option}={moment}+01:00")
    assert len(stored()) == 1


def test_broadcast_to_more_than_ten_thousand_is_told_how_many(ada, monkeypatch, capsys):
    module = "notifications.management.commands.broadcast"
    monkeypatch.setattr(f"{module}.LARGE_AUDIENCE", 0)

    with pytest.raises(CommandError, match="add --size 1"):
        call_command("broadcast", "Hello")
    assert stored() == []

    run("broadcast", "Hello", "--size=1", capsys=capsys)
    assert len(stored()) == 1


def test_prune_deletes_what_is_older_than_the_retention_and_no_more(ada, capsys):
    make_notification(ada, "old", age=91 * DAY)
    make_notification("everyone", "old too", age=91 * DAY)
    make_notification(ada, "young", age=89 * DAY)
    make_notification(ada, "scheduled", publish_at=timezone.now() + DAY)

    output = run("prune_notifications", capsys=capsys)

    assert [title for *_, title in stored()] == ["young", "scheduled"]
    assert "2" in output


def test_prune_keeps_a_broadcast_that_is_still_up():
    make_notification("everyone", age=91 * DAY, expires_at=timezone.now() + DAY)

    call_command("prune_notifications")

    assert len(stored()) == 1


def test_prune_keeps_an_old_draft_that_is_sent_while_it_looks(monkeypatch):
    old = {"created_at": timezone.now() - 91 * DAY}
    draft = make_notification("everyone", publish_at=None, announced_at=None, **old)

    def delete(rows):
        assert broadcasts.publish(draft)
        return delete_whole(rows)

    delete_whole = NotificationQuerySet.delete
    monkeypatch.setattr(NotificationQuerySet, "delete", delete)

    call_command("prune_notifications")

    assert len(stored()) == 1


def test_prune_reads_where_it_deletes(ada, settings):
    make_notification(ada, age=91 * DAY)
    settings.DATABASE_ROUTERS = ["tests.routers.ReplicaThatIsAway"]

    call_command("prune_notifications")

    settings.DATABASE_ROUTERS = []
    assert stored() == []


def test_prune_takes_the_age_from_the_setting_or_the_command(ada, settings):
    make_notification(ada, "a week old", age=7 * DAY)
    make_notification(ada, "a day old", age=DAY)
    settings.NOTIFICATIONS_RETENTION_DAYS = 5

    call_command("prune_notifications")
    assert [title for *_, title in stored()] == ["a day old"]

    call_command("prune_notifications", days=0)
    assert stored() == []


def test_prune_only_counts_when_it_is_to_run_dry(ada, capsys):
    make_notification(ada, age=91 * DAY)

    output = run("prune_notifications", "--dry-run", capsys=capsys)

    assert "1" in output
    assert len(stored()) == 1


def test_prune_refuses_an_age_in_the_future():
    with pytest.raises(CommandError, match="-1"):
        call_command("prune_notifications", days=-1)


def test_prune_works_in_batches(ada, django_assert_max_num_queries):
    moment = timezone.now() - 100 * DAY
    Notification.objects.bulk_create(
        Notification(recipient=ada, title="Hello", publish_at=moment)
        for _ in range(2500)
    )

    with django_assert_max_num_queries(100):
        call_command("prune_notifications")

    assert stored() == []
