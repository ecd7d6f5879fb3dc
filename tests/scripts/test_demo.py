import socket

import demo
import pytest
from ports import HOST, free_port


@pytest.fixture
def taken_port():
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_is_chosen():
    port = free_port()

    assert demo.chosen_port(str(port)) == port


def test_a_taken_port_is_named_and_another_suggested(taken_port):
    with pytest.raises(SystemExit) as ending:
        demo.chosen_port(str(taken_port))

    assert f"Port {taken_port} is taken" in ending.value.code
    assert f"PORT={taken_port + 1} make demo" in ending.value.code


@pytest.mark.parametrize("text", ["", "abc", "-1", "0", "65536", "80.5"])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(SystemExit, match="PORT is"):
        demo.chosen_port(text)
