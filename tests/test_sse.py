"""The tests' own parser is what all else is judged by, so it is judged first."""

import pytest

from .sse import Parser, names, parse


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_the_parser_takes_all_three_line_ends(end):
    data = end.join([b"event: one", b"data: 1", b"", b"data: 2", b"", b": end", b"x"])

    events = parse(data)

    assert [(event.name, event.text) for event in events] == [
        ("one", "1"),
        ("message", "2"),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_parser_does_not_mind_where_the_bytes_are_cut(size):
    data = "event: é\ndata: 1\ndata: ü\nid: 5\n\ndata: 2\n\n".encode()
    parser = Parser()

    events = []
    for start in range(0, len(data), size):
        events += parser.feed(data[start : start + size])

    assert events == parse(data)
    assert [(event.name, event.text) for event in events] == [
        ("é", "1\nü"),
        ("message", "2"),
    ]


def test_the_parser_drops_blocks_without_data_but_keeps_their_id():
    parser = Parser()

    events = parser.feed(b"id: 7\nevent: lost\n\ndata: 1\n\n")

    assert names(events) == ["message"]
    assert (events[0].last_event_id, events[0].id) == ("7", None)


def test_the_parser_ignores_an_id_with_nul_and_a_retry_that_is_no_number():
    parser = Parser()

    [event] = parser.feed(b"id: 1\nid: 2\0\nretry: 1s\nretry: 250\ndata\n\n")

    assert (event.last_event_id, event.text, parser.retry_ms) == ("1", "", 250)


def test_the_parser_takes_a_unicode_line_separator_for_text():
    [event] = parse("data: a\u2028b\x85c\x0bd\n\n".encode())

    assert event.text == "a\u2028b\x85c\x0bd"
