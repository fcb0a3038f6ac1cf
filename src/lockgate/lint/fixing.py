"""Repairs that change nothing but what is wrong.

Must not know: how problems are found. Each is a replacement of a stretch of text; a file that
would not be Python afterwards is left as it was.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from typing import Final

import msgspec

from lockgate.lint.found import Found
from lockgate.lint.source import Source, constant, keywords, lines_in

_BOUND: Final = "1024"


class Edit(msgspec.Struct, frozen=True, order=True):
    """A stretch of the text, what takes its place, and the import that needs."""

    start: int
    end: int
    text: str
    needs: str = ""


def repaired(source: Source, found: Iterable[Found]) -> tuple[str, int]:
    """The text with what can be repaired repaired, and how much of it was."""
    places = _Places(source.text)
    edits = sorted({one for each in found if (one := _edit(source, places, each)) is not None})
    text = source.text
    for one in reversed(edits):
        text = text[: one.start] + one.text + text[one.end :]
    try:
        for need in sorted({one.needs for one in edits if one.needs}):
            if not _imports(source, need):
                text = _with_import(text, need)
        ast.parse(text)
    except SyntaxError:
        return source.text, 0
    return text, len(edits)


class _Places:
    """From lines and columns, as `ast` counts them in bytes, to positions in the text."""

    def __init__(self, text: str) -> None:
        self._lines = lines_in(text)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def at(self, line: int, offset: int) -> int:
        before = self._lines[line - 1].encode()[:offset].decode(errors="replace")
        return self._starts[line - 1] + len(before)

    def start(self, node: ast.expr) -> int:
        return self.at(node.lineno, node.col_offset)

    def end(self, node: ast.expr) -> int:
        return self.at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def replace(self, node: ast.expr, text: str, needs: str = "") -> Edit:
        return Edit(self.start(node), self.end(node), text, needs)


def _edit(source: Source, places: _Places, found: Found) -> Edit | None:
    node = found.node
    if found.rule == "stdout-print" and isinstance(node, ast.Call):
        return _to_stderr(source, places, node)
    if found.rule == "cache-unbounded" and isinstance(node, (ast.Call, ast.Name, ast.Attribute)):
        return _bounded(source, places, node)
    if found.rule == "blocking-call" and isinstance(node, ast.Call):
        return _awaited(source, places, node)
    return None


def _to_stderr(source: Source, places: _Places, call: ast.Call) -> Edit | None:
    called = source.called(call)
    if called.startswith("sys.stdout.") and isinstance(call.func, ast.Attribute):
        return places.replace(call.func.value, "sys.stderr", "sys")
    for name in ("file", "stream"):
        where = keywords(call).get(name)
        if where is not None:
            return places.replace(where, "sys.stderr", "sys")
    if called == "logging.StreamHandler" and call.args:
        return places.replace(call.args[0], "sys.stderr", "sys")
    if called not in ("print", "pprint.pprint"):
        return None
    word = "stream" if called.startswith("pprint") else "file"
    at, comma = _end_of_arguments(source.text[places.start(call) : places.end(call)])
    at += places.start(call)
    return Edit(at, at, f"{comma}{word}=sys.stderr", "sys")


def _end_of_arguments(call: str) -> tuple[int, str]:
    """Where one more argument belongs, and what separates it from those before."""
    tokens = [
        one
        for one in tokenize.generate_tokens(io.StringIO(call).readline)
        if one.type in (tokenize.OP, tokenize.NAME, tokenize.NUMBER, tokenize.STRING)
        or (one.string.strip(" \t\r\n") and one.type != tokenize.COMMENT)
    ]
    last = tokens[-2]
    starts = [0]
    for line in lines_in(call):
        starts.append(starts[-1] + len(line))
    comma = {",": " ", "(": ""}.get(last.string, ", ")
    return starts[last.end[0] - 1] + last.end[1], comma


def _bounded(
    source: Source, places: _Places, node: ast.Call | ast.Name | ast.Attribute
) -> Edit | None:
    if isinstance(node, ast.Call):
        size = keywords(node).get("maxsize") or (node.args[0] if node.args else None)
        fits = isinstance(size, ast.Constant) and constant(size) is None
        return places.replace(size, _BOUND) if fits and size is not None else None
    if source.qualified(node) == "functools.cache":
        return places.replace(node, f"functools.lru_cache(maxsize={_BOUND})", "functools")
    return None


def _awaited(source: Source, places: _Places, call: ast.Call) -> Edit | None:
    statement = isinstance(source.parent(call), ast.Expr)
    waits = isinstance(source.function_of(call), ast.AsyncFunctionDef)
    if source.called(call) == "time.sleep" and statement and waits:
        return places.replace(call.func, "await asyncio.sleep", "asyncio")
    return None


def _imports(source: Source, module: str) -> bool:
    return any(
        isinstance(node, ast.Import)
        and any(one.name == module and not one.asname for one in node.names)
        for node in source.tree.body
    )


def _with_import(text: str, module: str) -> str:
    """The text with an import before its first, behind what says what it is."""
    tree = ast.parse(text)
    line = 0
    for node in tree.body:
        says = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (says or future):
            break
        line = node.end_lineno or node.lineno
    lines = lines_in(text)
    if line:
        while line < len(lines) and not lines[line].strip():
            line += 1
    else:
        while line < len(lines) and lines[line].startswith("#"):
            line += 1
    ending = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    gap = "" if line < len(lines) and lines[line].startswith(("import ", "from ")) else ending
    return "".join([*lines[:line], f"import {module}{ending}{gap}", *lines[line:]])
