"""
A process that notifies users at a steady rate, and says when.

``python -m benchmarks.publisher COUNT PER_SECOND PK...``. For each notification a
line of JSON: ``[title, when notify() was called, when it returned]``, in seconds of
the clock that all processes of a machine share.
"""

from __future__ import annotations

import json
import sys
import time

from django.contrib.auth import get_user_model

from notifications.api import notify


def main(count: int, per_second: float, pks: list[str]) -> None:
    users = list(get_user_model().objects.filter(pk__in=pks).order_by("pk"))
    lines = []
    started = time.monotonic()
    for number in range(count):
        # Paced by the clock: what is late is not made up for by waiting less.
        time.sleep(max(0.0, started + number / per_second - time.monotonic()))
        called = time.monotonic()
        notify(users[number % len(users)], str(number))
        lines.append(json.dumps([str(number), called, time.monotonic()]))
    print("\n".join(lines))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
