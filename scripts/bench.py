"""
Measure: plans, writes, broadcasts, delivery, streams, faults or page; or all in turn.

Options after the name go to the benchmark: ``bench.py delivery --server uvicorn``.
"""

import interpreter

interpreter.choose()

import signal  # noqa: E402 - from here on, the Python is new enough for the others
import sys  # noqa: E402

from environment import ROOT, Environment, say  # noqa: E402
from processes import end_on_signals, exit_status, running  # noqa: E402

BENCHMARKS = (
    "plans",
    "writes",
    "broadcasts",
    "delivery",
    "streams",
    "faults",
    "page",
)
# SIGINT, so that a benchmark ends the servers it has started; and time to do it.
ENDING = {"stop": signal.SIGINT, "patience_seconds": 30}


def main(arguments: list[str]) -> int:
    end_on_signals()
    if arguments and arguments[0] not in BENCHMARKS:
        raise SystemExit(f"Unknown: {arguments[0]}. Known: {', '.join(BENCHMARKS)}.")
    names, options = arguments[:1] or list(BENCHMARKS), arguments[1:]
    environment = Environment()
    # Only the page needs a browser, and what drives it.
    environment.prepare(f"requirements{'-dev' if 'page' in names else ''}.txt")
    statuses = []
    for name in names:
        say(f"\n=== {name}")
        command = [str(environment.python), "-m", f"benchmarks.{name}", *options]
        with running(command, cwd=ROOT, **ENDING) as process:
            statuses.append(exit_status(process))
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
