"""A way to Redis that takes its time, as one to another continent does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from tests.servers import STOP_SECONDS, free_port


class Relay:
    """
    Context manager: ``url`` leads to the Redis at *port*, *seconds* later each way.

    ``seconds`` may be changed at any time. It delays, and limits no throughput.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.seconds = 0.0
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="relay", daemon=True
        )

    def __enter__(self) -> Relay:
        self._thread.start()
        server = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._server = self._run(server)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._run(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(STOP_SECONDS)

    async def _leave(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(
        self, here: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        there, forth = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {forth, back}
        await asyncio.gather(self._carry(here, forth), self._carry(there, back))
        self._writers -= {forth, back}

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self._loop.call_later(self.seconds, writer.write, data)
        self._loop.call_later(self.seconds, writer.close)
