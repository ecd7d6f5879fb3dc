import asyncio
import json
import re
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import pytest
from asgiref.sync import markcoroutinefunction
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, connections
from django.test import Client
from django.urls import reverse

from notifications import gate
from notifications.bus import bus
from notifications.events import Cursor
from notifications.filters import Filter, View
from notifications.hub import hub
from notifications.inbox import Inbox
from notifications.models import Notification, Receipt
from notifications.revocation import page_key
from notifications.worker import worker_url

from .factories import has_field, make_notification
from .sse import names
from .waiting import aeventually

pytestmark = pytest.mark.django_db

committed = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)

JSON = {"headers": {"accept": "application/json"}}
CHANGES = ["read", "unread", "archived", "unarchived"]


def url(name):
    return reverse(f"notifications:{name}")


class TokenMiddleware:
    """Knows who asks by a header, as those of APIs do."""

    sync_capable, async_capable = False, True

    def __init__(self, get_response):
        self.get_response = markcoroutinefunction(get_response)
        markcoroutinefunction(self)

    async def __call__(self, request):
        pk = request.headers["Authorization"]

        async def auser():
            return await get_user_model()._default_manager.aget(pk=pk)

        request.auser = auser
        return await self.get_response(request)


@pytest.fixture
def signed_in(ada, client):
    client.force_login(ada)
    return client


# The stream's answer


@committed
async def test_a_stream_is_kept_by_no_cache_proxy_or_compression(ada, open_stream):
    async with open_stream(ada) as stream:
        await stream.until("state")

    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "private, no-store, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["vary"] == "Cookie"
    assert stream.headers.get("content-encoding", "identity") == "identity"
    assert "content-length" not in stream.headers
    assert names(stream.events) == ["hello", "state"]


@committed
async def test_a_stranger_is_told_401_and_sent_to_no_login_page(open_stream):
    async with open_stream() as stream:
        assert stream.status == 401
        assert "location" not in stream.headers
        assert "no-store" in stream.headers["cache-control"]
        assert json.loads(await stream.body())["detail"]


@committed
async def test_a_session_of_somebody_inactive_is_told_401(ada, open_stream):
    if not has_field("is_active"):
        pytest.skip("This user model has no such flag.")
    ada.is_active = False
    await ada.asave()

    async with open_stream(ada) as stream:
        assert stream.status == 401


@committed
async def test_an_outdated_session_is_told_401(ada, open_stream):
    async with open_stream(cookies={"sessionid": "gone"}) as stream:
        assert stream.status == 401


@committed
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_a_stream_is_for_get_alone(method, ada, open_stream):
    async with open_stream(ada, method=method) as stream:
        assert stream.status == 405
        assert hub.count() == 0


def test_a_stream_cannot_be_posted_to(signed_in):
    assert signed_in.post(url("stream")).status_code == 405


@committed
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "http://testserver:8000"},
        {"origin": "null"},
        {"origin": "http://["},
    ],
    ids=str,
)
async def test_a_stream_is_for_pages_of_this_site_alone(headers, ada, open_stream):
    async with open_stream(ada, headers=headers) as stream:
        assert stream.status == 403


@committed
async def test_a_stream_is_not_for_a_page_of_who_was_signed_in_before(
    ada, bob, open_stream
):
    async with open_stream(bob, query=f"user={page_key(ada)}") as stream:
        assert stream.status == 401

    async with open_stream(bob, query=f"user={page_key(bob)}") as stream:
        assert stream.status == 200


@committed
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin", "origin": "http://testserver"},
        {"sec-fetch-site": "none"},
    ],
    ids=str,
)
async def test_pages_of_this_site_may_stream(headers, ada, open_stream):
    async with open_stream(ada, headers=headers) as stream:
        assert stream.status == 200


@committed
async def test_a_full_process_says_503_and_when_to_come_back(
    ada, bob, open_stream, settings
):
    settings.NOTIFICATIONS_MAX_STREAMS = 1
    async with open_stream(ada) as first:
        await first.until("state")

        async with open_stream(bob) as second:
            assert second.status == 503
            assert int(second.headers["retry-after"]) > 0

    async with open_stream(bob) as third:
        assert third.status == 200


@committed
async def test_who_waited_while_a_process_filled_up_is_told_503(
    bob, open_stream, settings
):
    settings.NOTIFICATIONS_MAX_STREAMS = 1
    late = open_stream(bob)
    async with AsyncExitStack() as crowd:
        for _ in range(gate.WIDTH):
            await crowd.enter_async_context(gate.passage())
        entering = asyncio.create_task(late.__aenter__())
        semaphore = gate._gates[asyncio.get_running_loop()]
        await aeventually(lambda: semaphore._waiters)
        settings.NOTIFICATIONS_MAX_STREAMS = 0

    await entering
    assert late.status == 503
    await late.disconnect()


@committed
async def test_a_crowd_that_starts_at_once_is_told_503(ada, open_stream, monkeypatch):
    monkeypatch.setattr(gate, "QUEUE_SECONDS", 0.01)
    async with AsyncExitStack() as crowd:
        for _ in range(gate.WIDTH):
            await crowd.enter_async_context(gate.passage())

        async with open_stream(ada) as stream:
            assert stream.status == 503


@committed
async def test_a_reconnect_does_not_renew_the_session(ada, open_stream, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True

    async with open_stream(ada) as stream:
        await stream.until("state")

    assert "set-cookie" not in stream.headers


def test_what_pages_ask_by_themselves_does_not_renew_the_session(signed_in, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True

    answer = signed_in.get(url("state"))

    assert answer.status_code == 200
    assert "sessionid" not in answer.cookies
    assert "sessionid" in signed_in.get(url("list")).cookies


@committed
async def test_a_stream_works_where_every_request_is_a_transaction(
    ada, open_stream, monkeypatch
):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)

    async with open_stream(ada) as stream:
        assert stream.status == 200
        await stream.until("state")


@committed
def test_who_polls_announces_nothing_in_a_transaction_that_may_fail(
    ada, signed_in, monkeypatch
):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    row = make_notification(ada, "Scheduled", announced_at=None)
    opened = Cursor.at(row.publish_at - 10 * MINUTE)
    in_transaction = []
    monkeypatch.setattr(
        bus,
        "send",
        lambda *args, **kw: in_transaction.append(connection.in_atomic_block),
    )

    signed_in.get(url("state"), {"since": str(opened)})

    assert in_transaction == [False]


@committed
async def test_who_comes_without_a_session_may_stream(ada, open_stream, settings):
    settings.MIDDLEWARE = ["tests.test_views.TokenMiddleware"]

    async with open_stream(headers={"authorization": ada.pk}) as stream:
        assert stream.status == 200
        assert names(await stream.take(2)) == ["hello", "state"]


@committed
async def test_who_comes_with_a_token_may_have_a_session_of_nobody(
    ada, open_stream, settings
):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_views.TokenMiddleware"]
    basket = SessionStore()
    basket["basket"] = ["a book"]
    await basket.acreate()
    cookies = {"sessionid": basket.session_key}

    async with open_stream(
        headers={"authorization": ada.pk}, cookies=cookies
    ) as stream:
        assert names(await stream.take(2)) == ["hello", "state"]


@committed
async def test_a_stream_answers_where_every_view_requires_a_login(
    open_stream, settings
):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    async with open_stream() as stream:
        assert stream.status == 401


def test_under_wsgi_the_stream_says_what_to_do(signed_in):
    response = signed_in.get(url("stream"))

    assert response.status_code == 501
    assert "ASGI" in response.json()["detail"]


def test_opening_a_page_or_a_list_marks_nothing_read(ada, signed_in):
    make_notification(ada)
    make_notification("everyone")

    signed_in.get(url("inbox"))
    signed_in.get(url("list"))
    signed_in.get(url("state"))

    assert Inbox(ada).counts().unread == 2
    assert not Receipt.objects.exists()


# The page


def test_the_inbox_lists_what_there_is(ada, signed_in):
    make_notification(ada, "Bob replied", body="“Yes!”", url="/threads/1/")

    response = signed_in.get(url("inbox"))

    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    html = response.content.decode()
    assert "Bob replied" in html
    assert "“Yes!”" in html
    assert 'href="/threads/1/"' in html


def test_the_inbox_escapes_what_others_wrote(ada, signed_in):
    make_notification(ada, "<script>alert(1)</script>", body="<img src=x onerror=y>")

    html = signed_in.get(url("inbox")).content.decode()

    assert "<script>alert(1)" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)" in html


@pytest.mark.parametrize("bad", ["javascript:alert(1)", "//evil.example", "data:x"])
def test_the_inbox_links_nowhere_bad_though_the_row_says_so(bad, ada, signed_in):
    make_notification(ada, "Hello", url=bad)

    html = signed_in.get(url("inbox")).content.decode()

    assert bad not in html


def test_the_inbox_without_javascript_is_paged_to_the_end(ada, signed_in):
    for number in range(45):
        make_notification(ada, f"Title {number:02}", age=number * MINUTE)
    found, response = [], signed_in.get(url("inbox"))

    while True:
        page = response.context["page"]
        found += [row.title for row in page.items]
        if page.next is None:
            break
        response = signed_in.get(url("inbox"), {"before": str(page.next)})

    assert found == [f"Title {number:02}" for number in range(45)]


def test_the_inbox_costs_the_same_number_of_queries_however_long(
    ada, signed_in, django_assert_max_num_queries
):
    for number in range(20):
        make_notification(ada, str(number), actor=ada)
        make_notification("everyone", str(number), actor=ada)

    with django_assert_max_num_queries(25):
        signed_in.get(url("inbox"))


def test_the_inbox_sends_a_stranger_to_the_login_page(client):
    response = client.get(url("inbox"))

    assert response.status_code == 302
    assert response.url.startswith(project.LOGIN_URL)


def test_the_inbox_takes_a_broken_cursor_for_none(signed_in):
    response = signed_in.get(url("inbox"), {"before": "nonsense"})

    assert response.status_code == 302
    assert response.url == url("inbox")


# Reading by script


def test_the_list_is_the_inbox_as_json(ada, signed_in):
    older, newer = make_notification(ada, "older", age=MINUTE), make_notification(ada)
    Inbox(ada).mark_read([older.pk])

    answer = signed_in.get(url("list")).json()

    assert [item["id"] for item in answer["notifications"]] == [newer.pk, older.pk]
    assert [item["read"] for item in answer["notifications"]] == [False, True]
    assert answer["next"] is None
    assert Cursor.parse(answer["cursor"]) > newer.cursor


def test_the_list_has_the_token_that_forms_need_after_a_new_login(ada):
    row = make_notification(ada)
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    response = client.get(url("list"))

    headers = {"X-CSRFToken": response.json()["token"], "Accept": "application/json"}
    read = client.post(url("read"), {"id": row.pk}, headers=headers)
    assert read.status_code == 200
    assert response["Cache-Control"] == "private, no-store, no-transform"


def test_the_list_is_paged(ada, signed_in):
    for number in range(5):
        make_notification(ada, str(number), age=number * MINUTE)

    first = signed_in.get(url("list"), {"limit": 3}).json()
    second = signed_in.get(url("list"), {"limit": 3, "before": first["next"]}).json()

    titles = [
        item["title"] for answer in (first, second) for item in answer["notifications"]
    ]
    assert titles == list("01234")
    assert second["next"] is None


def test_the_list_may_be_of_what_is_unread(ada, signed_in):
    read, unread = make_notification(ada), make_notification(ada)
    Inbox(ada).mark_read([read.pk])

    answer = signed_in.get(url("list"), {"view": "unread"}).json()

    assert [item["id"] for item in answer["notifications"]] == [unread.pk]


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"limit": "9" * 5000},
     {"limit": "-1"}, {"limit": "\u0663"}, {"before": "nonsense"}],
    ids=lambda query: str(query)[:30],
)  # fmt: skip
def test_a_list_that_cannot_be_meant_is_a_bad_request(query, signed_in):
    response = signed_in.get(url("list"), query)

    assert response.status_code == 400
    assert response.json()["detail"]


def test_the_list_may_be_of_what_matches(ada, signed_in):
    make_notification(ada, "Invoice 7 is due", category="general")
    make_notification(ada, "Hello", body="Your invoice 8")
    make_notification(ada, "Hello again")

    found = signed_in.get(url("list"), {"q": "INVOICE 8"}).json()["notifications"]
    none = signed_in.get(url("list"), {"category": "other"}).json()["notifications"]

    assert [one["title"] for one in found] == ["Hello"]
    assert none == []


def test_what_was_put_away_is_a_list_of_its_own_and_can_be_taken_back(ada, signed_in):
    kept, away = make_notification(ada), make_notification("everyone")
    signed_in.post(url("archived"), {"id": away.pk}, **JSON)

    listed = signed_in.get(url("list"), {"view": "archived"}).json()["notifications"]
    assert [one["id"] for one in listed] == [away.pk]
    state = signed_in.post(url("unarchived"), {"id": away.pk}, **JSON).json()

    assert state["archived"] == []
    assert [row.pk for row in Inbox(ada).page().items] == [away.pk, kept.pk]


def test_all_read_can_be_undone_but_for_what_was_read_before(ada, bob, signed_in):
    before, mine = make_notification(ada), make_notification(ada)
    shared = make_notification("everyone")
    Inbox(ada).mark_read([before.pk])
    Inbox(bob).mark_read([shared.pk])
    undo = signed_in.post(url("read"), {"all": "1"}, **JSON).json()["undo"]
    assert Inbox(ada).counts().unread == 0

    state = signed_in.post(url("unread"), {"undo": undo}, **JSON).json()

    assert state["unread"] == 2
    unread = Inbox(ada).page(where=Filter(View.UNREAD)).items
    assert [row.pk for row in unread] == [shared.pk, mine.pk]
    assert Inbox(bob).counts().unread == 0


def test_a_rows_own_button_means_that_row_whatever_is_ticked(ada, signed_in):
    ticked, own = make_notification(ada), make_notification(ada)

    signed_in.post(url("read"), {"id": ticked.pk, "only": own.pk})

    unread = Inbox(ada).page(where=Filter(View.UNREAD)).items
    assert [row.pk for row in unread] == [ticked.pk]


def test_a_form_without_a_tick_changes_nothing_and_goes_back(ada, signed_in):
    make_notification(ada)

    answer = signed_in.post(url("read"), {"selected": "read", "next": "/users/"})

    assert (answer.status_code, answer.url) == (303, "/users/")
    assert Inbox(ada).counts().unread == 1


@pytest.mark.parametrize("view", ["all", "unread", "archived"])
def test_the_inbox_shows_its_views_and_says_which(view, ada, signed_in):
    read, away = make_notification(ada, "Was read"), make_notification(ada, "Put away")
    make_notification(ada, "New")
    Inbox(ada).mark_read([read.pk])
    Inbox(ada).archive([away.pk])

    html = signed_in.get(url("inbox"), {"view": view}).content.decode()

    main = html[html.index("<h1>") :]
    shown = {text for text in ["Was read", "Put away", "New"] if f">{text}<" in main}
    expected = {"all": {"Was read", "New"}, "unread": {"New"}, "archived": {"Put away"}}
    assert shown == expected[view]
    [current] = re.findall(r'aria-current="page">(\w+)<', main)
    assert current.lower() == view


def test_the_inbox_tells_moments_with_an_offset_without_time_zone_support(
    ada, signed_in, settings
):
    settings.USE_TZ = False
    make_notification(ada, publish_at=datetime(2026, 1, 2, 8, 0))

    response = signed_in.get(url("inbox"))

    assert response.status_code == 200
    moments = re.findall(r'(?:datetime|data-publish-at)="([^"]+)"', response.text)
    assert set(moments) == {"2026-01-02T08:00:00+01:00"}


@pytest.mark.parametrize(("name", "query"), [("list", {}), ("state", {"since": "0-0"})])
def test_scripts_are_told_moments_with_an_offset_without_time_zone_support(
    name, query, ada, signed_in, settings
):
    settings.USE_TZ = False
    settings.NOTIFICATIONS_RETENTION_DAYS = 365 * 100
    make_notification(ada, publish_at=datetime(2026, 1, 2, 8, 0))

    response = signed_in.get(url(name), query)

    [found] = response.json()["notifications"]
    assert found["publish_at"] == "2026-01-02T08:00:00+01:00"


@pytest.mark.parametrize("view", ["all", "archived"])
def test_forms_of_the_inbox_have_ids_that_are_not_grouped(
    view, ada, signed_in, settings
):
    settings.USE_THOUSAND_SEPARATOR = True
    row = make_notification(ada, id=1234567)
    if view == "archived":
        Inbox(ada).archive([row.pk])

    html = signed_in.get(url("inbox"), {"view": view}).text

    ids = re.findall(r'name="(?:id|only)" value="([^"]*)"', html)
    assert set(ids) == {"1234567", ""}  # a blank row has none


def test_a_form_of_the_inbox_reads_a_row_whose_id_is_long(ada, signed_in, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    row = make_notification(ada, id=1234567)
    button = r'name="only" value="([^"]*)" formaction="([^"]*)" data-action="read"'
    found = re.findall(button, signed_in.get(url("inbox")).text)
    [(id, action)] = {(id, action) for id, action in found if id}

    response = signed_in.post(action, {"only": id})

    assert response.status_code == 303
    row.refresh_from_db()
    assert row.is_read


def test_a_search_stays_with_the_pages_after_it(ada, signed_in):
    for number in range(25):
        make_notification(ada, f"Invoice {number}")
        make_notification(ada, "Something else")

    first = signed_in.get(url("inbox"), {"q": "invoice & co"}).content.decode()
    html = signed_in.get(url("inbox"), {"q": "invoice", "view": "unread"})
    [older] = re.findall(r'href="([^"]+q=[^"]+before=[^"]+)"', html.content.decode())
    second = signed_in.get(older.replace("&amp;", "&")).content.decode()

    assert "Nothing found." in first
    main = second[second.index("<h1>") :]
    assert main.count(">Invoice ") >= 5
    assert ">Something else<" not in main


def test_only_a_page_after_the_first_has_a_way_back_to_it(ada, signed_in):
    row = make_notification(ada)

    first = signed_in.get(url("inbox")).text
    after = signed_in.get(url("inbox"), {"before": row.cursor}).text

    assert 'aria-label="Pages"' not in first
    assert re.search(r'aria-label="Pages">\s*<a href="[^"]*">Newest', after)


@pytest.mark.parametrize("query", [{"view": "all of it"}, {"q": "x" * 201}], ids=str)
def test_a_filter_that_cannot_be_meant_is_refused_in_words(query, signed_in):
    answer = signed_in.get(url("list"), query)

    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert signed_in.get(url("inbox"), query).status_code == 302


def test_htmx_is_answered_with_the_inbox_and_no_page_around_it(ada, signed_in):
    make_notification(ada, "Hello")

    fragment = signed_in.get(url("inbox"), headers={"hx-request": "true"})
    boosted = {"hx-request": "true", "hx-boosted": "true"}
    page = signed_in.get(url("inbox"), headers=boosted)

    assert ">Hello<" in fragment.content.decode()
    assert "<html" not in fragment.content.decode()
    assert "<html" in page.content.decode()
    assert "HX-Request" in fragment.headers["vary"]


def test_the_state_tells_the_counts_and_what_became_of_the_shown(ada, bob, signed_in):
    mine, theirs = make_notification(ada), make_notification(bob)

    answer = signed_in.get(
        url("state"), {"shown": f"{mine.pk},{theirs.pk},7777"}
    ).json()

    assert (answer["unread"], answer["unseen"]) == (1, 1)
    assert answer["unread_ids"] == [mine.pk]
    assert answer["removed"] == sorted([theirs.pk, 7777])
    assert Cursor.parse(answer["cursor"]) > mine.cursor


def test_the_state_tells_what_came_since_a_cursor_too(ada, bob, signed_in):
    before = make_notification(ada, "Before", age=10 * MINUTE)
    make_notification(bob, "Theirs")
    first, second = make_notification(ada, "First"), make_notification(ada, "Second")

    answer = signed_in.get(url("state"), {"since": str(before.cursor)}).json()

    assert [one["id"] for one in answer["notifications"]] == [first.pk, second.pk]
    assert answer["reset"] == ""
    assert answer["unread"] == 3


def test_who_polls_has_announced_what_is_due(ada, signed_in, sent):
    """Where nobody streams, as under WSGI, nobody sweeps."""
    row = make_notification(ada, "Scheduled", announced_at=None)
    opened = Cursor.at(row.publish_at - 10 * MINUTE)

    answer = signed_in.get(url("state"), {"since": str(opened)}).json()

    assert [one["id"] for one in answer["notifications"]] == [row.pk]
    assert [message["to"] for message in sent] == [[[str(ada.pk), row.pk]]]
    signed_in.post(url("seen"), {"upto": answer["cursor"]})
    assert signed_in.get(url("state")).json()["unseen"] == 0


@pytest.mark.parametrize("name", ["inbox", "list"])
def test_a_category_no_database_could_hold_is_one_without_rows(name, signed_in):
    assert signed_in.get(url(name), {"category": "a\0b"}).status_code == 200


@pytest.mark.parametrize(
    ("name", "parameter"), [("inbox", "before"), ("list", "before"), ("state", "since")]
)
def test_a_cursor_at_the_end_of_time_is_no_fault_of_the_server(
    name, parameter, signed_in, settings
):
    settings.USE_TZ = False
    settings.TIME_ZONE = "Europe/Vienna"

    answer = signed_in.get(url(name), {parameter: "253402300799999999-1"})

    assert answer.status_code < 500


def test_the_state_since_too_long_ago_is_a_reset(ada, signed_in, settings):
    settings.NOTIFICATIONS_REPLAY_LIMIT = 2
    for _ in range(3):
        last = make_notification(ada)
    long_ago = Cursor.at(last.announced_at - 10 * MINUTE)

    answer = signed_in.get(url("state"), {"since": str(long_ago)}).json()

    assert answer["reset"] == "behind"
    assert answer["notifications"] == []
    assert Cursor.parse(answer["cursor"]) > last.cursor


def test_a_state_since_what_is_no_cursor_is_a_bad_request(signed_in):
    assert signed_in.get(url("state"), {"since": "yesterday"}).status_code == 400


@pytest.mark.parametrize(
    "shown", ["x", "1,,2", "-1", "1;2", "1" * 20, ",".join(["1"] * 501), "\u0663"]
)
def test_a_state_of_what_is_no_id_is_a_bad_request(shown, signed_in):
    assert signed_in.get(url("state"), {"shown": shown}).status_code == 400


def test_the_largest_id_is_just_unknown(signed_in):
    answer = signed_in.get(url("state"), {"shown": "9" * 19}).json()

    assert len(answer["removed"]) == 1


@pytest.mark.parametrize("name", ["list", "state"])
def test_a_page_of_who_was_signed_in_before_is_told_401(name, ada, bob, signed_in):
    make_notification(ada)

    answer = signed_in.get(url(name), {"user": page_key(bob)})

    assert answer.status_code == 401
    assert signed_in.get(url(name), {"user": page_key(ada)}).status_code == 200


def test_what_stands_for_a_user_in_a_page_names_nobody(ada, bob):
    assert page_key(ada) == page_key(ada) != page_key(bob)
    assert re.fullmatch("[0-9a-f]{16}", page_key(ada))


# The worker


def test_the_worker_is_a_script_of_this_site_for_anybody(client):
    answer = client.get(url("worker"))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert b"SharedWorker" in answer.content
    assert "Cookie" not in answer.headers.get("vary", "")


def test_the_worker_is_kept_for_good_under_its_version_alone(client):
    kept = client.get(worker_url()).headers["cache-control"]

    assert "immutable" in kept
    assert client.get(url("worker")).headers["cache-control"] == "no-cache"
    outdated = client.get(url("worker"), {"v": "0123456789ab"})
    assert outdated.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["list", "state"])
def test_a_stranger_who_asks_is_told_401_and_not_redirected(name, client):
    response = client.get(url(name))

    assert response.status_code == 401
    assert "no-store" in response.headers["Cache-Control"]


# Writing


def test_reading_unreading_and_archiving_change_the_inbox(ada, signed_in):
    row = make_notification("everyone")

    read = signed_in.post(url("read"), {"id": row.pk}, **JSON).json()
    unread = signed_in.post(url("unread"), {"id": row.pk}, **JSON).json()
    archived = signed_in.post(url("archived"), {"id": row.pk}, **JSON).json()

    assert (read["unread"], read["read"]) == (0, [row.pk])
    assert (unread["unread"], unread["unread_ids"]) == (1, [row.pk])
    assert (archived["unread"], archived["archived"]) == (0, [row.pk])
    assert Inbox(ada).page().items == []


def test_opening_the_bell_is_noted_as_far_as_it_showed(ada, signed_in):
    shown = make_notification(ada, age=2 * MINUTE)
    make_notification(ada, age=MINUTE)

    answer = signed_in.post(url("seen"), {"upto": str(shown.cursor)}, **JSON).json()

    assert (answer["unread"], answer["unseen"]) == (2, 1)


def test_all_are_read_as_far_as_was_shown(ada, signed_in):
    shown = make_notification(ada, age=2 * MINUTE)
    make_notification(ada, age=MINUTE)

    form = {"all": "1", "upto": str(shown.cursor)}
    answer = signed_in.post(url("read"), form, **JSON).json()

    assert answer["unread"] == 1


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_somebody_elses_answers_like_what_never_was(name, ada, bob, signed_in):
    theirs = make_notification(bob)
    before = list(Notification.objects.order_by("pk").values())

    foreign = signed_in.post(url(name), {"id": theirs.pk}, **JSON)
    unknown = signed_in.post(url(name), {"id": 10**9}, **JSON)

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    assert list(Notification.objects.order_by("pk").values()) == before


def test_of_mixed_ids_only_the_users_own_change(ada, bob, signed_in):
    mine, theirs = make_notification(ada), make_notification(bob)

    answer = signed_in.post(url("read"), {"id": [mine.pk, theirs.pk]}, **JSON).json()

    assert answer["read"] == [mine.pk]
    theirs.refresh_from_db()
    assert theirs.read_at is None


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    "form", [{}, {"id": "x"}, {"id": ["1", "-1"]}, {"id": "1" * 20}]
)
def test_a_change_of_what_is_no_id_is_a_bad_request(name, form, signed_in):
    assert signed_in.post(url(name), form, **JSON).status_code == 400


@pytest.mark.parametrize("name", [*CHANGES, "seen"])
def test_a_change_needs_post_a_login_and_a_token(name, ada, client):
    row = make_notification(ada)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)

    assert client.post(url(name), {"id": row.pk}).status_code == 401
    assert strict.get(url(name)).status_code == 405
    assert strict.post(url(name), {"id": row.pk}).status_code == 403

    assert Inbox(ada).counts().unread == 1


def test_a_form_is_sent_back_to_where_it_was(ada, signed_in):
    row = make_notification(ada)

    response = signed_in.post(url("read"), {"id": row.pk, "next": "/users/"})

    assert response.status_code == 303
    assert response.url == "/users/"


@pytest.mark.parametrize(
    "following", ["", "https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
def test_a_form_is_not_sent_to_another_site(following, ada, signed_in):
    row = make_notification(ada)

    response = signed_in.post(url("read"), {"id": row.pk, "next": following})

    assert response.url == url("inbox")


# Health


@committed
def test_a_process_that_does_its_work_says_so(client):
    response = client.get(url("health"))

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@committed
def test_a_process_without_a_wire_is_degraded(client, settings):
    settings.CHANNEL_LAYERS = {}

    response = client.get(url("health"))

    assert response.status_code == 503
    assert response.json() == {"status": "degraded"}


@committed
def test_staff_are_told_more(staff, client):
    client.force_login(staff)

    answer = client.get(url("health")).json()

    assert answer["database"] is True
    assert answer["bus"] is True
    assert answer["streams"] == 0
