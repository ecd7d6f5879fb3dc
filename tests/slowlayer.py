"""A channel layer whose module takes a second to be imported."""

import threading

threading.Event().wait(1)

from channels.layers import InMemoryChannelLayer as SlowLayer  # noqa: E402, F401
