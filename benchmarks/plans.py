"""
Explain what an inbox, a stream and a sweep read, at 100,000 and 1,000,000 rows.

Writes docs/explanation/queries.md from its heading "Measured" on. Takes 2 minutes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlparse

from . import database
from .dataset import fill
from .explain import CURSOR, Statement
from .operations import operations

SIZES = (100_000, 1_000_000)
MOST_BUFFERS = 300
MOST_GROWTH = 2.0
# A full page of rows, each somewhere else. One that was short in the smaller table
# may grow until it is full.
FULL_PAGE_BUFFERS = 50

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "queries.md"
HEADING = "## Measured\n"
# Whose plans are printed; the figures are everybody's.
PRINTED = ("reader", "")

Measured = dict[tuple[str, str], list[Statement]]
"""Of one size: the statements of each operation, by its name and whose it is."""


def measure(rows: int) -> Measured:
    """Fill the default database, a PostgreSQL, and explain every operation."""
    return {(one.name, one.whose): one.explain() for one in operations(fill(rows))}


def failures(small: Measured, large: Measured) -> Iterator[str]:
    """Yield what does not hold: by index, few buffers, no growth with the table."""
    for key, statements in large.items():
        name = " ".join(key)
        before, after = buffers(small[key]), buffers(statements)
        for statement in [*small[key], *statements]:
            if scanned := ", ".join(sorted(statement.scanned)):
                yield f"{name}: reads all of {scanned}: {statement.sql}"
        if max(before, after) > MOST_BUFFERS:
            yield f"{name}: {max(before, after)} buffers, {MOST_BUFFERS} allowed"
        if after > MOST_GROWTH * max(before, FULL_PAGE_BUFFERS):
            yield f"{name}: {before} buffers at first, {after} in the larger table"


def buffers(statements: Iterable[Statement]) -> int:
    return sum(statement.buffers for statement in statements)


def table(by_size: dict[int, Measured]) -> str:
    """Return the figures as a Markdown table."""
    sizes = " | ".join(f"at {size:,}" for size in by_size)
    lines = [
        f"| operation | whose | statements | {sizes} |",
        f"|---|---|---|{'---|' * len(by_size)}",
    ]
    *_, largest = by_size.values()
    for key, statements in largest.items():
        figures = " | ".join(str(buffers(found[key])) for found in by_size.values())
        lines.append(f"| {key[0]} | {key[1]} | {len(statements)} | {figures} |")
    return "\n".join(lines)


def report(by_size: dict[int, Measured], version: str) -> str:
    """Return the part of the page that is measured, from its heading on."""
    *_, size = by_size
    parts = [
        HEADING,
        f"{datetime.now(UTC):%Y-%m-%d}, {version}, its settings untouched, "
        "after `VACUUM ANALYZE`.",
        "Buffers are 8 KiB pages, hit or read, per operation.\n",
        table(by_size),
        f"\n## Plans at {size:,} rows\n",
    ]
    seen = set()
    for (name, whose), statements in by_size[size].items():
        if whose not in PRINTED:
            continue
        parts.append(f"### {name.capitalize()}\n")
        for statement in statements:
            sql = shortened(statement.sql)
            figures = f"{statement.buffers} buffers."
            if sql in seen:
                parts.append(f"As above, `{first_table(sql)}`: {figures}\n")
                continue
            seen.add(sql)
            plan = shortened_plan(statement.plan)
            parts.append(f"{figures}\n\n```sql\n{sql}\n```\n\n```text\n{plan}\n```\n")
    return "\n".join(parts)


def first_table(sql: str) -> str:
    match = re.search(r"(?:FROM|UPDATE) (\w+)", sql)
    return match[1] if match else ""


def shortened(sql: str) -> str:
    """Return *sql* for people: plain names, long lists cut, one condition a line."""
    sql = sql.removeprefix(CURSOR).replace('"', "").replace("live_notifications_", "")
    sql = re.sub(r"\bnotification\.(?=\w)", "", sql)
    sql = re.sub(r"SELECT (?:[^()]*?, ){6,}[^()]*?(?= FROM)", "SELECT …", sql)
    sql = re.sub(r"(?:%s, ){3,}%s", "%s, …", sql)
    return sqlparse.format(sql, reindent=True, indent_width=4).strip()


def shortened_plan(plan: str) -> str:
    plan = plan.replace("live_notifications_", "")
    plan = re.sub(r"'([^']*?)(?:\.\d+)?\+\d+'::timestamp with time zone", r"'\1'", plan)
    plan = re.sub(r"'\{((?:\d+,){3})[\d,]+\}'", r"'{\1…}'", plan)
    return re.sub(r"\((\w+)\)::text", r"\1", plan)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Leave the page alone.")
    options = parser.parse_args()
    with database.postgresql() as version:
        by_size = {size: measure(size) for size in SIZES}
    print(table(by_size))
    if not options.check:
        kept = PAGE.read_text().partition(HEADING)[0] if PAGE.exists() else ""
        PAGE.write_text(kept + report(by_size, version))
        print(f"Written to {PAGE}.")
    failed = list(failures(*by_size.values()))
    print(*(f"FAILED {line}" for line in failed), sep="\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
