"""
The application of the tests; with ``BENCHMARK_HOLD=1`` its streams release nothing.

That is what any streaming view of Django holds today, for comparison.
"""

import os

from notifications import responses
from tests.asgi import application

__all__ = ["application"]


async def _hold() -> None:
    """In place of responses.release_request()."""


if os.environ.get("BENCHMARK_HOLD"):
    responses.release_request = _hold
