import math
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy
from hypothesis import example, given
from hypothesis import strategies as st

from notifications.events import (
    BROWSER_NAMES,
    OWN_NAMES,
    Cursor,
    Event,
    check_name,
    from_microseconds,
    to_iso,
    to_microseconds,
)
from notifications.exceptions import InvalidCursor, InvalidEvent

from .sse import Parser, parse

LINE_ENDS = "\r\n\n\r\x00\ufeff\u2028\u2029\x0b\x0c\x85"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip
cursors = st.builds(
    Cursor,
    st.integers(0, to_microseconds(datetime(9999, 1, 1, tzinfo=UTC))),
    st.integers(0, 2**63 - 1),
)


@given(st.dictionaries(st.text(), anything), cursors | st.none())
@example({"title": f"a{LINE_ENDS}event: reset{LINE_ENDS}{LINE_ENDS}data: 1"}, None)
@example({LINE_ENDS: "\ud800"}, Cursor(0, 0))
def test_any_data_is_exactly_one_event_that_says_the_same(data, cursor):
    frame = Event("notification", data, cursor).encode()

    [event] = parse(frame)

    assert (event.name, event.data) == ("notification", data)
    assert event.id == (str(cursor) if cursor else None)


@given(st.lists(st.text(), max_size=5), st.integers(0))
def test_frames_in_a_row_stay_apart_wherever_the_network_cuts_them(texts, cut):
    payloads = [{"text": text} for text in texts]
    frames = b"".join(Event("log", data).encode() for data in payloads)
    cut %= len(frames) + 1
    parser = Parser()

    events = parser.feed(frames[:cut]) + parser.feed(frames[cut:])

    assert [event.data for event in events] == payloads


@given(st.dictionaries(st.text(), anything), cursors | st.none())
def test_a_frame_is_ascii_with_one_data_line_and_a_line_feed_at_each_end(data, cursor):
    frame = Event("log", data, cursor).encode(retry_ms=1500)

    assert re.fullmatch(
        rb"retry: 1500\n(id: \d+-\d+\n)?event: log\ndata: [\x20-\x7e]+\n\n", frame
    )


def test_retry_shares_the_block_of_its_event():
    parser = Parser()

    events = parser.feed(Event("hello", {}, Cursor(5, 6)).encode(retry_ms=1500))

    assert len(events) == 1
    assert parser.retry_ms == 1500


def test_a_body_serves_every_stream_and_each_adds_its_own_id():
    event = Event("notification", {"id": 6}, Cursor(5, 6))

    assert parse(event.body())[0].id is None
    assert event.encode() == b"id: 5-6\n" + event.body()


def test_dates_and_translations_are_written_as_django_writes_them():
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    [event] = parse(Event("log", {"at": moment, "text": gettext_lazy("Yes")}).encode())

    assert event.data == {"at": "2026-01-02T03:04:05Z", "text": "Yes"}


def nested(depth):
    data = {}
    for _ in range(depth):
        data = {"in": data}
    return data


@pytest.mark.parametrize(
    "data",
    [
        {"a": object()},
        {"a": math.nan},
        {"a": math.inf},
        {"a": b"bytes"},
        nested(20_000),
    ],
    ids=["object", "nan", "infinity", "bytes", "depth"],
)
def test_data_that_is_not_json_is_refused_by_name(data):
    with pytest.raises(InvalidEvent, match="progress"):
        Event("progress", data).encode()


@pytest.mark.parametrize("name", ["progress", "a", "token.delta", "x-1_y", "a" * 64])
def test_a_project_may_name_its_events(name):
    check_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "A", "Progress", "1st", "-a", "a b", "a\n", "a\ndata: x", "é", "a" * 65, 5,
     None, "a\u0661"],
)  # fmt: skip
def test_a_malformed_event_name_is_refused(name):
    with pytest.raises(InvalidEvent, match="event name"):
        check_name(name)


@pytest.mark.parametrize("name", sorted(OWN_NAMES | BROWSER_NAMES))
def test_a_name_that_is_taken_is_refused_and_all_of_those_are_listed(name):
    with pytest.raises(InvalidEvent, match="bye, error, hello"):
        check_name(name)


@given(cursors)
def test_a_cursor_reads_back_what_it_writes(cursor):
    assert Cursor.parse(str(cursor)) == cursor


@given(cursors)
def test_a_cursor_is_a_moment_to_the_microsecond(cursor):
    assert Cursor.at(cursor.moment, cursor.id) == cursor


@given(st.text())
@example("1-1\n")
@example("\u0661-1")
@example("-1-1")
@example("+1-1")
@example("1-1-1")
@example(f"{10**30}-1")
@example(f"1-{2**63}")
@example(f"{2**62}-1")
@example(" 1-1")
@example("1_0-1")
def test_any_text_is_a_cursor_or_refused_as_one(text):
    try:
        cursor = Cursor.parse(text)
    except InvalidCursor:
        return

    assert re.fullmatch("[0-9]+-[0-9]+", text)
    assert (cursor.microseconds, cursor.id) == tuple(map(int, text.split("-")))
    assert 0 <= cursor.id < 2**63
    assert cursor.moment.year <= 9999


@pytest.mark.parametrize("text", ["0-0", "1767323045000001-42"])
def test_a_plain_cursor_is_taken(text):
    assert str(Cursor.parse(text)) == text


def test_cursors_sort_by_time_then_id():
    cursors = [Cursor(2, 1), Cursor(1, 9), Cursor(1, 10)]

    assert sorted(cursors) == [Cursor(1, 9), Cursor(1, 10), Cursor(2, 1)]


def test_microseconds_do_not_depend_on_the_time_zone():
    moment = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert to_microseconds(elsewhere) == to_microseconds(moment)
    assert from_microseconds(to_microseconds(elsewhere)) == moment


def test_microseconds_are_the_same_without_time_zone_support(settings):
    moment = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    expected = to_microseconds(moment)
    settings.USE_TZ = False

    naive = from_microseconds(expected)

    assert naive == datetime(2026, 1, 2, 4, 4, 5, 123456)
    assert to_microseconds(naive) == expected


def test_without_time_zone_support_moments_are_the_sites_whichever_zone_is_active(
    settings,
):
    settings.USE_TZ = False
    naive = datetime(2026, 1, 2, 4, 4, 5)
    expected = to_microseconds(naive)

    with django_timezone.override("Asia/Tokyo"):
        assert to_microseconds(naive) == expected
        assert from_microseconds(expected) == naive
        assert to_iso(naive) == "2026-01-02T04:04:05+01:00"


@pytest.mark.parametrize(
    ("naive", "text"),
    [
        (datetime(2026, 7, 1, 8, 0, 0, 5), "2026-07-01T08:00:00.000005+02:00"),
        (datetime(2026, 3, 29, 2, 30), "2026-03-29T02:30:00+01:00"),
        (datetime(2026, 10, 25, 2, 30), "2026-10-25T02:30:00+02:00"),
        (datetime(2026, 10, 25, 2, 30, fold=1), "2026-10-25T02:30:00+01:00"),
        (datetime.max, "9999-12-31T23:59:59.999999+01:00"),
    ],
    ids=["summer", "never was", "was twice", "the second time", "for good"],
)
def test_a_moment_is_written_with_an_offset_though_it_has_none(naive, text, settings):
    settings.USE_TZ = False

    assert to_iso(naive) == text
