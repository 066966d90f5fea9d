"""Finds statements whose plan reads a whole table."""

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

_ALIASES = re.compile(r'(?:FROM|JOIN)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?([A-Z]\w*\d)"?)?')
_STREAMING = ("Nested Loop", "LockRows", "Result", "Subquery Scan", "Memoize")
"""Steps of PostgreSQL that pass rows on without reading all of them first."""
_SCAN = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")


@dataclass(frozen=True, slots=True)
class FullRead:
    """A statement that reads every row of ``table``; ``step`` is the line of its plan."""

    table: str
    step: str
    sql: str

    def __str__(self) -> str:
        return f"{self.table}: {self.step}: {self.sql[:1500]}"


@contextmanager
def full_reads(tables: Collection[str]) -> Iterator[list[FullRead]]:
    """Collects the full reads of these tables among the statements that the block executes.

    The list is filled when the block has ended. Each statement is explained with its own values:
    a partial index is used only if they fit its condition.
    """
    executed: dict[str, tuple[str, Any]] = {}
    found: list[FullRead] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            first = next(iter(params)) if many else params
            executed.setdefault(sql + repr(first), (sql, first))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found
    partial = _partial_indexes()
    for sql, params in executed.values():
        for table, step in _steps(sql, params, partial):
            if table in tables:
                found.append(FullRead(table, step, sql))


def _partial_indexes() -> set[str]:
    """Names of the indexes that hold some rows of their table only."""
    statement = (
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%% WHERE %%'"
        if connection.vendor == "sqlite"
        else "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [])
        return {name for (name,) in cursor.fetchall()}


def _steps(sql: str, params: Any, partial: set[str]) -> Iterator[tuple[str, str]]:
    """The steps of a statement's plan that read a whole table, or a whole index of one."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
            (plan,) = cursor.fetchone()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            yield from _postgres(plan[0]["Plan"], partial)
            return
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        aliases: dict[str, str] = {alias or table: table for table, alias in _ALIASES.findall(sql)}
        for *_, step in cursor.fetchall():
            scan = _SCAN.match(step)
            if scan and scan[2] not in partial:
                name = str(scan[1])
                yield aliases.get(name, name), step


def _postgres(
    node: dict[str, Any], partial: set[str], limited: bool = False
) -> Iterator[tuple[str, str]]:
    """``limited``: the rows are read in order until a LIMIT is reached, which the planner chooses
    if it expects that soon."""
    kind, index = node["Node Type"], node.get("Index Name")
    if kind == "Seq Scan":
        yield node["Relation Name"], kind
    elif index is not None and "Index Cond" not in node and index not in partial and not limited:
        yield node.get("Relation Name", index), f"{kind} without a condition on {index}"
    limited = kind == "Limit" or (limited and kind in _STREAMING)
    for child in node.get("Plans", []):
        yield from _postgres(child, partial, limited)
