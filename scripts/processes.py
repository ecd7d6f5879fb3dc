"""Processes that a script starts, and ends in every case, each by its own id."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

holding = False
received: list[int] = []


def end_on_signals() -> None:
    """
    Make Ctrl-C, SIGTERM and SIGHUP end the script by a SystemExit.

    Only the first does: while the script tidies up, which takes seconds at most,
    more of them change nothing.
    """
    signal.signal(signal.SIGINT, receive)
    signal.signal(signal.SIGTERM, receive)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, receive)


def receive(number: int, frame: object) -> None:
    received.append(number)
    if len(received) == 1 and not holding:
        raise SystemExit(128 + number)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold a signal back until the block has ended."""
    global holding
    before = len(received)
    holding = True
    try:
        yield
    finally:
        holding = False
    if before == 0 and received:
        raise SystemExit(128 + received[0])


@contextmanager
def running(
    command: Sequence[str],
    *,
    stop: signal.Signals = signal.SIGTERM,
    patience_seconds: float = 10,
    **options: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run *command* until the block ends, then send it *stop* and wait for it.

    It gets a session of its own, so that Ctrl-C reaches the script alone, which
    ends things in order. What has not ended after *patience_seconds* is killed.
    """
    process = None
    try:
        # A signal in the middle of Popen() would leave a process nobody knows.
        with undisturbed():
            process = subprocess.Popen(command, start_new_session=True, **options)
        yield process
    finally:
        if process is not None:
            with undisturbed():
                end(process, stop, patience_seconds)


def end(
    process: subprocess.Popen[bytes], stop: signal.Signals, patience_seconds: float
) -> None:
    if process.poll() is not None:
        return
    process.send_signal(stop)
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        # With what it started itself: it leads a session, so its id is the group's.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def exit_status(process: subprocess.Popen[bytes]) -> int:
    """Wait for *process* and return its status as a shell does: 143 for SIGTERM."""
    status = process.wait()
    return status if status >= 0 else 128 - status
