"""What statements the ORM really makes, and what PostgreSQL does for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
# Rows that are iterated over come through a cursor of the server's, which plans that
# as if only a tenth of them would be fetched.
CURSOR = "DECLARE c NO SCROLL CURSOR FOR "


@dataclass(frozen=True)
class Statement:
    """One statement as it was executed, and what it did."""

    sql: str
    plan: str
    """EXPLAIN (ANALYZE, BUFFERS) as text."""
    buffers: int
    """Shared buffers hit or read while it ran, 8 KiB each; planning not counted."""
    scanned: frozenset[str]
    """The tables that were read from end to end."""


def explain(operation: Callable[[], Any]) -> list[Statement]:
    """
    Run *operation* and explain each statement just before it; change nothing.

    Statements without a table, such as the one for the time, are left out.
    """
    found: list[Statement] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(VERBS) and '"' in sql:
            named = getattr(context["cursor"].cursor, "name", None)
            found.append(_explain((CURSOR if named else "") + sql, params))
        return execute(sql, params, many, context)

    with rolled_back(), connection.execute_wrapper(note):
        operation()
    return found


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _explain(sql: str, params: Any) -> Statement:
    with connection.connection.cursor() as cursor:
        cursor.execute("SAVEPOINT explain")

        def answer(options: str) -> list[Any]:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, {options}) {sql}", params)
            return [line for (line,) in cursor.fetchall()]

        # Once before: whoever reads a page first does more than read it.
        answer("TIMING OFF")
        text = "\n".join(answer("COSTS OFF, TIMING OFF, SUMMARY OFF"))
        [[explained]] = answer("FORMAT JSON")
        cursor.execute("ROLLBACK TO SAVEPOINT explain")
    root = explained["Plan"]
    return Statement(
        sql=sql,
        plan=text.partition("\nPlanning:")[0],
        buffers=root["Shared Hit Blocks"] + root["Shared Read Blocks"],
        scanned=frozenset(
            node["Relation Name"]
            for node in _nodes(root)
            if node["Node Type"] == "Seq Scan"
        ),
    )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)
