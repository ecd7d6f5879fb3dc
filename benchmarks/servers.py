"""Daphne and uvicorn as the benchmarks run them, and the users that listen."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from tests.factories import log_in
from tests.servers import LiveServer

KINDS = ("daphne", "uvicorn")


class Server(LiveServer):
    """A ``LiveServer`` that keeps its log to itself unless something is wrong."""

    def __init__(self, kind: str, *, application: str = "", **options: Any) -> None:
        super().__init__(kind, **options)
        if application:
            self._command[-1] = application

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        printed = StringIO()
        try:
            with redirect_stdout(printed):
                self.stop()
        except AssertionError:
            print(printed.getvalue())
            raise

    @property
    def stream_url(self) -> str:
        return f"{self.url}/notifications/stream/"


def cookies_of(users: list[Any]) -> list[dict[str, str]]:
    """Return each user's cookies, of a session of their own."""
    return [log_in(user) for user in users]
