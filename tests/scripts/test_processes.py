import os
import signal
import subprocess
import sys
from pathlib import Path

import processes
import pytest
from ports import wait_until

SCRIPTS = Path(processes.__file__).parent
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]

# Starts a child, says its id, and waits for it.
PARENT = f"""
import processes
processes.end_on_signals()
with processes.running({SLEEP!r}) as child:
    print(child.pid, flush=True)
    child.wait()
"""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_process_ends_with_the_block():
    with processes.running(SLEEP) as process:
        assert process.poll() is None

    assert process.returncode == -signal.SIGTERM


def test_a_process_that_will_not_end_is_killed():
    command = [sys.executable, "-c", STUBBORN]

    with processes.running(
        command, patience_seconds=0.1, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()

    process.stdout.close()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_script_ends_what_it_started(number):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=SCRIPTS, stdout=subprocess.PIPE
    ) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(number)

        assert parent.wait(20) == 128 + number

    assert wait_until(lambda: is_gone(child), 5)


def test_a_signal_is_held_back_until_the_block_has_ended(monkeypatch):
    monkeypatch.setattr(processes, "received", [])
    done = []

    def disturbed():
        with processes.undisturbed():
            processes.receive(signal.SIGTERM, None)
            done.append("all")

    with pytest.raises(SystemExit) as ending:
        disturbed()

    assert done == ["all"]
    assert ending.value.code == 143


def test_a_second_signal_does_not_disturb_the_tidying_up(monkeypatch):
    monkeypatch.setattr(processes, "received", [signal.SIGINT])

    processes.receive(signal.SIGINT, None)

    with processes.undisturbed():
        pass


def test_the_status_is_that_of_a_shell():
    with subprocess.Popen(SLEEP) as process:
        process.kill()

        assert processes.exit_status(process) == 137
