"""Caches and answers that have no end.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from lockgate.lint.found import Found
from lockgate.lint.handlers import Handler, given
from lockgate.lint.project import File
from lockgate.lint.source import (
    FunctionNode,
    Source,
    assignments,
    keywords,
    parameters,
    within,
)

_CACHES: Final = frozenset({"functools.cache", "functools.lru_cache"})
_PAGED: Final = re.compile(
    r"limit|max|page|offset|cursor|start|length|size|count|top|first|lines|chunk|range|head|tail|depth",
    re.IGNORECASE,
)
_WHOLE: Final = frozenset({"read_text", "read_bytes", "fetchall"})


def check(file: File) -> Iterator[Found]:
    """Caches without a bound, and whole files as results."""
    for function in file.source.functions:
        yield from _cached(file.source, function)
    for handler in file.handlers:
        if handler.kind == "tool":
            yield from _whole_results(file.source, handler)


def _cached(source: Source, function: FunctionNode) -> Iterator[Found]:
    if not parameters(function):
        return
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = source.qualified(call.func if call else decorator)
        if name not in _CACHES:
            continue
        if name == "functools.cache":
            yield Found(rule="cache-unbounded", node=decorator)
        elif call is not None:
            size = keywords(call).get("maxsize") or (call.args[0] if call.args else None)
            if isinstance(size, ast.Constant) and size.value is None:
                yield Found(rule="cache-unbounded", node=decorator)


def _whole_results(source: Source, handler: Handler) -> Iterator[Found]:
    if any(_PAGED.search(one.arg) for one in given(source, handler)):
        return
    held: dict[str, list[ast.expr]] = {}
    for node in within(handler.node):
        for target, value in assignments(node):
            if isinstance(target, ast.Name):
                held.setdefault(target.id, []).append(value)
    for node in within(handler.node):
        if isinstance(node, ast.Return) and node.value is not None:
            values = (
                held.get(node.value.id, []) if isinstance(node.value, ast.Name) else [node.value]
            )
            if len(values) == 1 and _is_whole(source, values[0]):
                yield Found(rule="result-unbounded", node=node)


def _is_whole(source: Source, value: ast.expr) -> bool:
    """Whether an expression is all of a file, of a table or of what a server answered."""
    if isinstance(value, ast.Await):
        value = value.value
    if isinstance(value, ast.Attribute):
        return value.attr in ("text", "content") and _named_like(
            value.value, ("response", "resp", "res", "r")
        )
    if not isinstance(value, ast.Call):
        return False
    if source.called(value) in ("json.dumps", "str") and value.args:
        return _is_whole(source, value.args[0])
    if not isinstance(value.func, ast.Attribute):
        return False
    word = value.func.attr
    if word == "fetchall":
        return not _limited(value)
    return word in _WHOLE or (word in ("read", "readlines") and not value.args)


def _limited(value: ast.Call) -> bool:
    return any("limit" in one.value.lower() for one in ast.walk(value)
               if isinstance(one, ast.Constant) and isinstance(one.value, str))  # fmt: skip


def _named_like(node: ast.expr, names: tuple[str, ...]) -> bool:
    return isinstance(node, ast.Name) and node.id in names
