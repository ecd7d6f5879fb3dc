import json
import re
from datetime import timedelta

import django
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from notifications import broadcasts, clock
from notifications.admin import BroadcastAdmin
from notifications.broadcasts import Status
from notifications.constants import LARGE_AUDIENCE
from notifications.forms import FiguresField, SizeForm, is_about
from notifications.inbox import Inbox
from notifications.models import Broadcast, Receipt
from tests.factories import make_notification, make_user

HOUR = timedelta(hours=1)
ADMIN = "admin:live_notifications_broadcast_"
ADD, LIST = f"{ADMIN}add", f"{ADMIN}changelist"


def url_to(page, broadcast):
    return reverse(f"{ADMIN}{page}", args=[broadcast.pk])


def filled(**changes):
    return {
        "title": "Maintenance at 8",
        "body": "",
        "url": "",
        "level": "20",
        "category": "general",
        "audience": "everyone",
        "users": [],
        "placement": "toast",
        "dismissible": "on",
        "expires_at_0": "",
        "expires_at_1": "",
        "form_key": "form:1",
        **changes,
    }


def at(moment, name="at"):
    """Return *moment* as the two fields of the admin's forms."""
    local = timezone.localtime(moment)
    return {
        f"{name}_0": local.date().isoformat(),
        f"{name}_1": local.strftime("%H:%M:%S"),
    }


def confirmed(draft, moment=None, **changes):
    """Return what the page that sends posts, for *draft* as it is now."""
    when = at(moment) if moment else {"at_0": "", "at_1": ""}
    return {**when, "fingerprint": broadcasts.fingerprint(draft), **changes}


def make_draft(audience="everyone", title="Maintenance at 8", **fields):
    """Return a stored broadcast; a draft, unless it has a *publish_at*."""
    fields = {"publish_at": None, "announced_at": None} | fields
    row = make_notification(audience, title, **fields)
    return Broadcast.objects.get(pk=row.pk)


def make_sent(audience="everyone", **fields):
    now = clock.now()
    return make_draft(audience, publish_at=now, announced_at=now, **fields)


def act(client, broadcast, name):
    """Press the button *name* on the change page."""
    return client.post(
        url_to("change", broadcast),
        {"CHANGE_FORM-action": name, "_selected_action": str(broadcast.pk)},
        follow=True,
    )


def history(broadcast):
    entries = LogEntry.objects.filter(object_id=str(broadcast.pk))
    return [entry.get_change_message() for entry in entries.order_by("pk")]


# Composing


def test_saving_keeps_a_draft_that_nobody_is_sent(client, admin, sent, commit):
    with commit():
        client.post(reverse(ADD), filled(_continue="1"))

    draft = Broadcast.objects.get()
    assert draft.publish_at is None
    assert draft.created_by == admin
    assert sent == []


def test_send_saves_and_leads_to_the_page_that_asks_once_more(client, admin, sent):
    response = client.post(reverse(ADD), filled(_send="1"))

    draft = Broadcast.objects.get()
    assert response.url == url_to("send", draft)
    assert draft.publish_at is None


def test_a_double_click_on_a_new_form_makes_one_draft(client, admin, sent):
    for _ in range(2):
        response = client.post(reverse(ADD), filled(_continue="1"), follow=True)

    assert "once is enough" in response.text
    assert Broadcast.objects.count() == 1


def test_chosen_users_need_the_audience_of_that_name(client, admin):
    alone = client.post(reverse(ADD), filled(audience="users", _continue="1"))
    beside = client.post(reverse(ADD), filled(users=[str(admin.pk)], _continue="1"))

    assert "Choose at least one user." in alone.text
    assert "remove them" in beside.text
    assert not Broadcast.objects.exists()


@pytest.mark.parametrize(
    ("audience", "text"),
    [("staff", "Staff: 1 user now."), ("users", "Chosen users<")],
)
def test_a_form_that_is_refused_says_whom_its_audience_reaches(
    client, admin, ada, audience, text
):
    refused = client.post(reverse(ADD), filled(audience=audience, title=""))

    [reach] = re.findall(r"data-reach=[^>]*>([^/]*)", refused.text)
    assert reach.startswith(text)


def test_a_link_that_runs_a_script_is_refused_in_the_form(client, admin):
    response = client.post(reverse(ADD), filled(url="javascript:alert(1)"))

    assert "Enter a path on this site" in response.text


def test_an_expiry_in_the_past_is_refused_in_the_form(client, admin):
    past = timezone.now() - timedelta(days=1)

    response = client.post(
        reverse(ADD),
        filled(
            expires_at_0=past.date().isoformat(), expires_at_1="00:00", _continue="1"
        ),
    )

    assert "lies in the past" in response.text


# PostgreSQL stores it, in New York; it is the year 10000 then, and nobody can read it.
NEVER = {"0": "9999-12-31", "1": "23:59:59"}


def test_an_expiry_at_the_end_of_time_is_refused_in_the_form(client, admin, settings):
    settings.TIME_ZONE = "America/New_York"
    never = {f"expires_at_{part}": text for part, text in NEVER.items()}

    response = client.post(reverse(ADD), filled(**never, _continue="1"))

    assert "too far in the future" in response.text
    assert not Broadcast.objects.exists()


def test_a_moment_at_the_end_of_time_is_refused(client, admin, sent, settings):
    settings.TIME_ZONE = "America/New_York"
    draft = make_draft()
    never = {f"at_{part}": text for part, text in NEVER.items()}

    response = client.post(url_to("send", draft), confirmed(draft, **never))

    assert "too far in the future" in response.text
    draft.refresh_from_db()
    assert draft.publish_at is None


def test_what_may_not_be_put_away_has_to_expire(client, admin):
    response = client.post(reverse(ADD), filled(dismissible="", _continue="1"))

    assert "It would stay for good" in response.text
    assert not Broadcast.objects.exists()


def test_each_language_of_the_site_has_a_title_and_a_text(client, admin, settings):
    settings.LANGUAGES = [("en", "English"), ("de", "German"), ("ar", "Arabic")]

    form = client.get(reverse(ADD))
    client.post(
        reverse(ADD),
        filled(translations_de_title="Wartung", translations_ar_body=" ", _send="1"),
    )

    assert 'name="translations_ar_body"' in form.text
    draft = Broadcast.objects.get()
    assert draft.translations == {"de": {"title": "Wartung"}}
    again = client.get(url_to("change", draft))
    assert 'value="Wartung"' in again.text


def test_a_translated_title_that_does_not_fit_is_refused(client, admin):
    response = client.post(
        reverse(ADD), filled(translations_de_title="x" * 201, _continue="1")
    )

    assert "has more than 200 characters" in response.text
    assert "x" * 201 in response.text  # nothing of what was typed is lost
    assert not Broadcast.objects.exists()


def test_a_translation_no_database_could_hold_is_refused(client, admin):
    response = client.post(
        reverse(ADD), filled(translations_de_title="a\0b", _continue="1")
    )

    assert "Null characters are not allowed" in response.text
    assert not Broadcast.objects.exists()


def test_without_languages_of_its_own_the_site_is_told_where_to_name_them(
    client, admin
):
    assert "in the setting LANGUAGES" in client.get(reverse(ADD)).text


def test_the_form_says_whom_it_reaches_exactly_and_names_five(client, admin):
    for number in range(7):
        make_user(f"user{number}")
    draft = make_draft()

    text = client.get(url_to("change", draft)).text

    assert "Everyone: 8 users now." in text
    names = [str(user) for user in broadcasts.reached(draft).order_by("pk")[:5]]
    assert f"Among them: {', '.join(names[:4])} and {names[4]}." in text


def test_the_reach_of_what_is_being_chosen_can_be_asked(client, admin, ada, bob):
    url = reverse(f"{ADMIN}reach")

    everyone = client.get(url, {"audience": "everyone"})
    chosen = client.get(url, {"audience": "users", "users": [ada.pk, bob.pk]})
    as_text = client.get(url, {"audience": "users", "users": f"{ada.pk},{bob.pk}"})
    nobody = client.get(url, {"audience": "users"})

    assert everyone.json()["text"].startswith("Everyone: 3 users now.")
    assert chosen.json()["text"].startswith("Chosen users: 2 users now. That is ")
    assert as_text.json() == chosen.json()
    assert nobody.json()["text"] == "Chosen users: 0 users now."


@pytest.mark.parametrize(
    "asked",
    [
        {"audience": "nobody"},
        {"audience": "users", "users": "x"},
        {"audience": "group:" + "9" * 5000},
        {"audience": "group:" + "9" * 20},
    ],
    ids=lambda asked: asked["audience"][:10],
)
def test_a_reach_that_cannot_be_told_is_a_clear_error(client, admin, asked):
    response = client.get(reverse(f"{ADMIN}reach"), asked)

    assert response.status_code == 400
    assert response.json()["detail"]


def test_an_audience_that_is_gone_is_named_and_not_sent_to(client, admin, sent):
    draft = make_draft("group:4711")

    change = client.get(url_to("change", draft))
    send = client.post(url_to("send", draft), confirmed(draft), follow=True)

    assert "“group:4711” does not exist any more" in change.text
    assert "does not exist any more" in send.text
    draft.refresh_from_db()
    assert draft.publish_at is None


def test_a_test_goes_to_who_asked_and_the_draft_stays_one(
    client, admin, ada, sent, commit
):
    with commit():
        response = client.post(reverse(ADD), filled(_test="1"), follow=True)

    assert "a test is on its way to you" in response.text
    draft, test = Broadcast.objects.order_by("pk")
    assert draft.publish_at is None
    assert [row.pk for row in Inbox(admin).page().items] == [test.pk]
    assert Inbox(ada).page().items == []
    # The page has the test in its bell, which is as it should be.
    listed = client.get(reverse(LIST)).text.partition('id="result_list"')[2]
    assert "Maintenance at 8" in listed
    assert "Test: Maintenance" not in listed


# Sending


def test_the_last_page_shows_size_sample_and_how_it_will_look(client, admin, sent):
    draft = make_draft(body="All of it", level=30)

    text = client.get(url_to("send", draft)).text

    assert "Everyone: 1 user now. That is admin" in text
    assert "Time zone: Europe/Vienna." in text
    assert text.count('class="notification-toast"') == 2  # light and dark
    assert text.count('class="notification-banner"') == 2
    assert text.count("All of it") == 6
    assert 'name="size"' not in text


def test_sending_stores_who_did_it_and_writes_it_down(client, admin, sent, commit):
    draft = make_draft()

    with commit():
        response = client.post(url_to("send", draft), confirmed(draft), follow=True)

    assert "Sent. Audience: Everyone, 1." in response.text
    draft.refresh_from_db()
    assert draft.announced_at
    assert draft.published_by == admin
    assert history(draft) == ["Sent. Audience: Everyone, 1."]
    assert [m["audience"] for m in sent if m["kind"] == "notifications"] == ["everyone"]


def test_of_two_admins_and_a_double_click_one_sends_and_all_are_told_who(
    client, admin, clerk, sent, commit
):
    draft = make_draft()

    with commit():
        client.post(url_to("send", draft), confirmed(draft))
        twice = client.post(url_to("send", draft), confirmed(draft), follow=True)
    clerk("send_broadcast", "view_broadcast", "change_broadcast")
    with commit():
        other = client.post(url_to("send", draft), confirmed(draft), follow=True)

    for response in (twice, other):
        assert "was already sent by admin" in response.text
    assert len([m for m in sent if m["kind"] == "notifications"]) == 1
    assert history(draft) == ["Sent. Audience: Everyone, 1."]


def test_a_draft_that_was_sent_meanwhile_is_not_saved_over(client, admin, sent):
    draft = make_draft()
    broadcasts.publish(Broadcast.objects.get(pk=draft.pk), by=admin)

    response = client.post(
        url_to("change", draft), filled(title="Too late", _continue="1"), follow=True
    )

    assert "was already sent by admin" in response.text
    draft.refresh_from_db()
    assert draft.title == "Maintenance at 8"
    assert draft.publish_at is not None


def test_what_was_looked_at_is_what_goes_out(client, admin, sent):
    draft = make_draft("staff")
    seen = confirmed(draft)
    Broadcast.objects.filter(pk=draft.pk).update(audience="everyone")

    response = client.post(url_to("send", draft), seen, follow=True)

    assert "It was changed meanwhile." in response.text
    draft.refresh_from_db()
    assert draft.publish_at is None


def test_what_is_changed_while_it_is_counted_does_not_go_out(
    client, admin, sent, monkeypatch
):
    draft = make_draft("staff")
    seen = confirmed(draft)
    reached = broadcasts.reached

    def change_and_count(row):
        Broadcast.objects.filter(pk=draft.pk).update(audience="everyone")
        return reached(row)

    monkeypatch.setattr(broadcasts, "reached", change_and_count)
    response = client.post(url_to("send", draft), seen, follow=True)

    assert "It was changed meanwhile." in response.text
    draft.refresh_from_db()
    assert draft.publish_at is None
    assert history(draft) == []


def test_enter_in_the_form_saves_and_presses_no_other_button(client, admin):
    for row in (make_draft(), make_sent()):
        text = client.get(url_to("change", row)).text
        form = text[text.index('id="broadcast_form"') :]
        buttons = re.findall(r'<(?:input|button)[^>]*type="submit"[^>]*>', form)
        assert 'name="_continue"' in buttons[0]


def test_a_correction_of_what_was_corrected_meanwhile_changes_nothing(
    client, admin, sent
):
    out = make_sent()
    seen = broadcasts.fingerprint(out)
    broadcasts.correct(Broadcast.objects.get(pk=out.pk), title="First")
    Broadcast.objects.filter(pk=out.pk).update(announced_at=clock.now())

    response = client.post(
        f"{url_to('change', out)}?correct=1",
        {"title": "Second", "fingerprint": seen, "_continue": "1"},
        follow=True,
    )

    assert "has changed meanwhile: Sent. Nothing was done." in response.text
    out.refresh_from_db()
    assert out.title == "First"


@pytest.mark.parametrize("correcting", ["?correct=1", ""])
def test_an_expiry_that_was_set_meanwhile_is_not_put_back(
    correcting, client, admin, sent
):
    out = make_sent(expires_at=clock.now() + 10 * 24 * HOUR)
    seen = broadcasts.fingerprint(out)
    soon = clock.now() + HOUR
    broadcasts.change_expiry(Broadcast.objects.get(pk=out.pk), soon)

    response = client.post(
        url_to("change", out) + correcting,
        {
            "title": "Without the typo",
            **at(out.expires_at, "expires_at"),
            "fingerprint": seen,
            "_continue": "1",
        },
        follow=True,
    )

    assert "has changed meanwhile: Sent. Nothing was done." in response.text
    out.refresh_from_db()
    assert (out.title, out.expires_at) == ("Maintenance at 8", soon)


def test_of_two_corrections_at_once_one_has_its_way(client, admin, sent, monkeypatch):
    out = make_sent()
    change = BroadcastAdmin._change_sent

    def change_after_another(self, request, obj, form):
        Broadcast.objects.filter(pk=out.pk).update(title="Theirs")
        change(self, request, obj, form)

    monkeypatch.setattr(BroadcastAdmin, "_change_sent", change_after_another)
    response = client.post(
        f"{url_to('change', out)}?correct=1",
        filled(title="Ours", fingerprint=broadcasts.fingerprint(out), _continue="1")
        | {"audience": []},
        follow=True,
    )

    assert "has changed meanwhile: Sent. Nothing was done." in response.text
    out.refresh_from_db()
    assert out.title != "Ours"


def test_what_was_recalled_meanwhile_is_said_so_to_who_corrects_it(client, admin, sent):
    out = make_sent()
    broadcasts.recall(Broadcast.objects.get(pk=out.pk))

    response = client.post(
        f"{url_to('change', out)}?correct=1",
        {
            "title": "Late",
            "fingerprint": broadcasts.fingerprint(out),
            "_continue": "1",
        },
        follow=True,
    )

    assert "has changed meanwhile: Over. Nothing was done." in response.text


def test_a_form_that_comes_late_tells_nothing_to_who_may_not_look(client, clerk):
    clerk()
    out = make_sent(title="Secret")

    response = client.post(url_to("change", out), filled(), follow=True)

    assert response.status_code == 403
    assert "Secret" not in response.text


def test_names_of_chosen_users_are_for_who_may_view_users(client, clerk, ada):
    url = reverse(f"{ADMIN}reach")
    asked = {"audience": "users", "users": [ada.pk]}
    opts = get_user_model()._meta

    clerk("add_broadcast")
    without = client.get(url, asked).json()["text"]
    clerk("add_broadcast", f"view_{opts.model_name}", name="other")
    with_names = client.get(url, asked).json()["text"]

    assert without == "Chosen users: 1 user now."
    assert str(ada) in with_names


@pytest.mark.parametrize("text", ["1,000", "1.000", "1 000", "1009", "991"])
def test_a_large_size_may_be_written_as_people_do_and_be_a_little_off(text):
    form = SizeForm({"size": text}, size=1000)
    form.fields["size"] = FiguresField()

    assert form.is_valid()
    assert not is_about(980, 1000)


def test_above_ten_thousand_the_size_is_to_be_typed(client, admin, sent, monkeypatch):
    assert LARGE_AUDIENCE == 10_000
    monkeypatch.setattr("notifications.forms.LARGE_AUDIENCE", 0)
    draft = make_draft()

    asked = client.get(url_to("send", draft))
    wrong = client.post(url_to("send", draft), confirmed(draft, size="2"))
    without = client.post(url_to("send", draft), confirmed(draft))

    assert 'name="size"' in asked.text
    assert "It reaches 1 users now, not 2." in wrong.text
    assert "This field is required." in without.text
    draft.refresh_from_db()
    assert draft.publish_at is None

    client.post(url_to("send", draft), confirmed(draft, size="1"))

    draft.refresh_from_db()
    assert draft.publish_at is not None


def test_a_schedule_is_in_the_time_zone_of_the_site(client, admin, sent, commit):
    draft = make_draft()
    moment = (clock.now() + timedelta(days=2)).replace(microsecond=0)

    with commit():
        response = client.post(
            url_to("send", draft), confirmed(draft, moment), follow=True
        )

    assert "To be sent at" in response.text
    draft.refresh_from_db()
    assert draft.publish_at == moment
    assert draft.announced_at is None
    assert 'data-status="scheduled"' in response.text


def test_a_moment_that_has_passed_is_refused(client, admin, sent):
    draft = make_draft()

    response = client.post(url_to("send", draft), confirmed(draft, clock.now() - HOUR))

    assert "lies in the past" in response.text
    draft.refresh_from_db()
    assert draft.publish_at is None


def test_one_that_would_expire_first_is_not_sent_and_says_so(client, admin, sent):
    draft = make_draft(expires_at=clock.now() + HOUR)

    response = client.post(
        url_to("send", draft), confirmed(draft, clock.now() + 2 * HOUR), follow=True
    )

    assert "It would expire before it is shown." in response.text
    draft.refresh_from_db()
    assert draft.publish_at is None


# Scheduled


def test_what_is_scheduled_can_be_moved_and_cancelled(client, admin, sent, commit):
    scheduled = make_draft(publish_at=clock.now() + HOUR)
    later = (clock.now() + 3 * HOUR).replace(microsecond=0)

    page = act(client, scheduled, "move")
    with commit():
        moved = client.post(url_to("move", scheduled), at(later), follow=True)

    assert page.request["PATH_INFO"] == url_to("move", scheduled)
    assert "Moved to" in moved.text
    scheduled.refresh_from_db()
    assert scheduled.publish_at == later
    assert sent == []

    cancelled = act(client, scheduled, "cancel")

    assert "it is a draft again" in cancelled.text
    scheduled.refresh_from_db()
    assert scheduled.publish_at is None
    assert len(history(scheduled)) == 2


def test_what_went_out_meanwhile_cannot_be_cancelled(client, admin, sent):
    out = make_sent()

    response = act(client, out, "cancel")

    assert "has changed meanwhile: Sent. Nothing was done." in response.text


# Sent


def test_what_is_sent_can_be_looked_at_but_not_changed(client, admin):
    out = make_sent(title="Out")

    response = client.get(url_to("change", out))
    client.post(url_to("change", out), {"title": "Other", **filled(_continue="1")})

    assert 'name="title"' not in response.text
    assert 'name="expires_at_0"' in response.text
    assert "_send" not in response.text
    out.refresh_from_db()
    assert out.title == "Out"


def test_its_expiry_can_be_changed(client, admin, sent, commit):
    out = make_sent()
    tomorrow = timezone.localtime(clock.now() + timedelta(days=1))

    with commit():
        client.post(
            url_to("change", out),
            {
                "expires_at_0": tomorrow.date().isoformat(),
                "expires_at_1": "12:00",
                "fingerprint": broadcasts.fingerprint(out),
                "_continue": "1",
            },
        )

    before = out.announced_at
    out.refresh_from_db()
    assert timezone.localtime(out.expires_at).hour == 12
    assert out.announced_at == before
    assert [message["kind"] for message in sent] == ["poke"]


def test_a_correction_is_published_anew_and_written_down(client, admin, sent, commit):
    out = make_sent()
    page = act(client, out, "correct")
    assert 'name="title"' in page.text
    assert 'name="audience"' not in page.text

    with commit():
        client.post(
            f"{url_to('change', out)}?correct=1",
            {
                "title": "Maintenance at 9",
                "body": "",
                "url": "",
                "level": "30",
                "category": "general",
                "expires_at_0": "",
                "expires_at_1": "",
                "fingerprint": broadcasts.fingerprint(out),
                "_continue": "1",
            },
        )

    before = out.announced_at
    out.refresh_from_db()
    assert (out.title, out.level) == ("Maintenance at 9", 30)
    assert out.announced_at > before
    assert history(out) == ["Changed Title and Level."]
    assert [m["id"] for m in sent if m["kind"] == "notifications"] == [out.pk]


def test_a_recall_is_at_once_and_written_down(client, admin, ada, sent, commit):
    out = make_sent()
    assert len(Inbox(ada).page().items) == 1

    with commit():
        response = act(client, out, "recall")

    assert "Recalled" in response.text
    assert Inbox(ada).page().items == []
    assert history(out) == ["Recalled; nobody is shown it any more."]
    assert 'data-status="over"' in response.text
    assert 'name="expires_at_0"' not in response.text


def test_a_duplicate_is_a_draft_of_ones_own(client, admin, sent):
    out = make_sent(body="All of it")

    response = act(client, out, "duplicate")

    draft = Broadcast.objects.exclude(pk=out.pk).get()
    assert response.request["PATH_INFO"] == url_to("change", draft)
    assert (draft.publish_at, draft.body) == (None, "All of it")
    assert draft.created_by == admin


def test_what_has_a_long_id_is_recalled_by_its_own_page(client, admin, sent, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    out = make_sent(id=1234567)
    html = client.get(url_to("change", out)).text

    grouped = re.findall(r'[\w-]+="[^"]*\d,\d{3}[^"]*"', html)
    [selected] = re.findall(r'name="_selected_action" value="([^"]*)"', html)
    client.post(
        url_to("change", out),
        {"CHANGE_FORM-action": "recall", "_selected_action": selected},
    )

    assert grouped == []
    out.refresh_from_db()
    assert broadcasts.status(out, clock.now()) == Status.OVER


def test_what_is_shown_is_not_deleted_but_recalled(client, admin):
    out, draft = make_sent(), make_draft()

    assert client.post(url_to("delete", out), {"post": "yes"}).status_code == 403
    client.post(url_to("delete", draft), {"post": "yes"})

    assert list(Broadcast.objects.all()) == [out]


def test_numbers_are_shown_with_their_share_and_can_be_asked(client, admin, ada):
    out = make_sent(delivered_count=12_345)
    Receipt.objects.create(user=ada, notification=out, read_at=clock.now())

    text = client.get(url_to("change", out)).text
    found = client.get(url_to("numbers", out)).json()

    assert 'data-number="delivered">12,345<' in text
    assert found == {
        "audience": "2",
        "delivered": "12,345",
        "seen": "0",
        "read": "1 (50%)",
        "dismissed": "0",
    }


def test_asking_for_numbers_does_not_renew_the_session(client, admin, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True

    answer = client.get(url_to("numbers", make_sent()))

    assert answer.status_code == 200
    assert "sessionid" not in answer.cookies


def test_numbers_that_are_not_measured_are_a_dash(client, admin):
    banner = make_sent(placement="banner")

    assert client.get(url_to("numbers", banner)).json()["seen"] == "—"


def test_the_list_says_whom_it_reaches_and_how_far_it_is(client, admin):
    make_sent("staff", title="Out")
    make_draft(title="Not yet")
    make_draft(title="Soon", publish_at=clock.now() + HOUR)

    everything = client.get(reverse(LIST)).text
    drafts = client.get(reverse(LIST), {"status": "draft"}).text
    nonsense = client.get(reverse(LIST), {"status": "x"}).text

    for status in ("sent", "draft", "scheduled"):
        assert f'data-status="{status}"' in everything
    assert "Not yet" in drafts
    assert "Soon" not in drafts
    assert "Soon" in nonsense


# Who may


def test_without_the_permission_to_send_there_is_no_button_and_no_way(
    client, clerk, sent
):
    clerk("add_broadcast", "change_broadcast", "view_broadcast")
    draft, out = make_draft(), make_sent()

    form = client.get(url_to("change", draft)).text
    answers = [
        client.post(url_to("change", draft), filled(_send="1")),
        client.post(url_to("send", draft), confirmed(draft)),
        client.get(url_to("send", draft)),
        client.post(url_to("change", out), {"expires_at_0": "", "_continue": "1"}),
    ]

    assert 'name="_send"' not in form
    assert 'name="_continue"' in form
    assert [answer.status_code for answer in answers] == [403] * 4
    assert "recall" not in client.get(url_to("change", out)).text
    act(client, out, "recall")
    out.refresh_from_db()
    assert out.expires_at is None


def test_who_may_not_look_at_it_gets_no_copy_either(client, clerk):
    clerk("add_broadcast")
    out = make_sent(title="Secret")

    response = act(client, out, "duplicate")

    assert "Secret" not in response.text
    assert [row.pk for row in Broadcast.objects.all()] == [out.pk]


def test_who_may_send_others_only_cannot_recall_this_one(client, admin, monkeypatch):
    out = make_sent()
    monkeypatch.setattr(
        BroadcastAdmin,
        "has_send_permission",
        lambda self, request, obj=None: obj is None,
    )

    response = act(client, out, "recall")

    assert response.status_code == 403
    out.refresh_from_db()
    assert out.expires_at is None


def test_who_may_only_view_sees_the_numbers(client, clerk):
    clerk("view_broadcast")
    out = make_sent(delivered_count=3)

    page = client.get(url_to("change", out))
    numbers = client.get(url_to("numbers", out))

    assert 'data-number="delivered">3<' in page.text
    assert "CHANGE_FORM-action" not in page.text
    assert numbers.status_code == 200


def test_who_has_no_permission_finds_nothing(client, clerk, sent):
    clerk()
    out = make_sent()

    for url in (
        reverse(ADD),
        reverse(LIST),
        reverse(f"{ADMIN}reach"),
        *(url_to(page, out) for page in ("change", "send", "move", "numbers")),
    ):
        assert client.get(url).status_code == 403, url


def test_an_action_nobody_offers_is_refused(client, admin):
    out = make_sent()

    act(client, out, "delete_everything")
    other = client.post(
        url_to("change", out),
        {"CHANGE_FORM-action": "recall", "_selected_action": "4711"},
    )

    assert other.status_code == 400
    out.refresh_from_db()
    assert out.expires_at is None


def test_what_it_says_is_shown_as_text_on_every_page(client, admin, sent):
    draft = make_draft(title="<script>alert(1)</script>", body="<b>bold</b>")

    for page in ("change", "send"):
        text = client.get(url_to(page, draft)).text
        assert "<script>alert(1)" not in text
        assert "<b>bold</b>" not in text


def test_the_pages_need_few_queries_whatever_the_size_of_the_audience(
    client, admin, django_assert_max_num_queries
):
    draft = make_draft()
    client.get(url_to("change", draft))

    with django_assert_max_num_queries(22):
        client.get(url_to("change", draft))
    with django_assert_max_num_queries(22):
        client.get(url_to("send", draft))


def test_numbers_are_json(client, admin):
    response = client.get(url_to("numbers", make_sent()))

    assert json.loads(response.content)


@pytest.mark.skipif(django.VERSION < (6, 1), reason="Django's admin has no nonces yet.")
def test_under_a_policy_of_nonces_all_scripts_and_styles_have_it(
    client, admin, sent, settings
):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.middleware.csp.ContentSecurityPolicyMiddleware",
    ]
    [engine] = settings.TEMPLATES
    processors = engine["OPTIONS"]["context_processors"]
    with_nonce = [*processors, "django.template.context_processors.csp"]
    options = {**engine["OPTIONS"], "context_processors": with_nonce}
    settings.TEMPLATES = [{**engine, "OPTIONS": options}]
    nonce = "<CSP_NONCE_SENTINEL>"
    settings.SECURE_CSP = {"script-src": [nonce], "style-src": [nonce]}
    draft, out = make_draft(), make_sent()

    for url in (reverse(ADD), url_to("send", draft), url_to("change", out)):
        text = client.get(url).text
        tags = re.findall(r"<(?:script|link rel=.stylesheet)[^>]*>", text)
        assert [tag for tag in tags if "nonce=" not in tag] == [], url
        assert len(tags) > 5
