"""A tool's result for a person: text as text, tables as tables, the rest named.

Must not know: how it was obtained. Everything in a result comes from a server: nothing is read as
markup, control characters are shown escaped, nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from lockgate.cli.terminal import visible

_MOST_COLUMNS: Final = 8


def show_result(result: Mapping[str, Any], out: Console) -> None:
    """Print a `tools/call` result."""
    structured = result.get("structuredContent")
    content = _objects(result.get("content"))
    if structured is not None:
        out.print(_structured(structured))
        content = [] if _repeats(content, structured) else content
    for item in content:
        out.print(_block(item))
    if structured is None and not content:
        out.print(Text("(an empty result)", "dim"))


def _objects(content: Any) -> list[Mapping[str, Any]]:
    """The blocks of a result; whatever is no block is left out."""
    blocks = cast("list[Any]", content) if isinstance(content, list) else []
    return [cast("Mapping[str, Any]", block) for block in blocks if isinstance(block, dict)]


def _members(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _repeats(content: list[Mapping[str, Any]], structured: Any) -> bool:
    """Whether text blocks only say again, as JSON, what the structured content says."""
    said: list[Any] = []
    for item in content:
        text = item.get("text")
        if not isinstance(text, str):
            return False
        try:
            said.append(json.loads(text))
        except ValueError:
            said.append(text)
    wanted: tuple[Any, Any] = (structured, _members(structured).get("result"))
    return said in wanted or (len(said) == 1 and said[0] in wanted)


def _structured(value: Any) -> RenderableType:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if len(members) == 1:
            inner = next(iter(members.values()))
            return _structured(inner) if isinstance(inner, list) else _scalar_or_json(members)
    rows = _rows(value)
    return _table(rows) if rows else _scalar_or_json(value)


def _scalar_or_json(value: Any) -> Text:
    if isinstance(value, dict) and list(cast("dict[str, Any]", value)) == ["result"]:
        inner = cast("dict[str, Any]", value)["result"]
        if not isinstance(inner, dict | list):
            return Text(visible(_cell(inner)))
    return Text(visible(json.dumps(value, indent=2, ensure_ascii=False)))


def _rows(value: Any) -> list[dict[str, Any]]:
    """A list of flat objects with the same few keys; empty for anything else."""
    if not isinstance(value, list) or not value:
        return []
    rows = [
        cast("dict[str, Any]", row) for row in cast("list[Any]", value) if isinstance(row, dict)
    ]
    if len(rows) != len(cast("list[Any]", value)) or not rows[0]:
        return []
    keys = list(rows[0])
    flat = all(
        list(row) == keys and not any(isinstance(cell, dict | list) for cell in row.values())
        for row in rows
    )
    return rows if flat and len(keys) <= _MOST_COLUMNS else []


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for key in rows[0]:
        table.add_column(Text(visible(key)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(_cell(value))) for value in row.values()))
    return table


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _block(item: Mapping[str, Any]) -> Text:
    kind = str(item.get("type"))
    if kind == "text":
        return Text(visible(str(item.get("text", ""))))
    if kind in ("image", "audio"):
        size = _size(str(item.get("data", "")))
        return _note(f"{kind} {item.get('mimeType', '')}, {size}; --json has it in base64")
    if kind == "resource_link":
        return _note(f"link to {item.get('name', '')} {item.get('uri', '')}")
    if kind == "resource":
        resource = _members(item.get("resource"))
        if isinstance(resource.get("text"), str):
            return Text(visible(resource["text"]))
        size = _size(str(resource.get("blob", "")))
        return _note(f"resource {resource.get('uri', '')}, {size}; --json has it in base64")
    return _note(f"content of type {kind}; --json shows it")


def _note(text: str) -> Text:
    return Text(f"[{visible(' '.join(text.split()))}]", "dim")


def _size(base64: str) -> str:
    size = len(base64) * 3 // 4
    return f"{size / 1024:.1f} KiB" if size >= 1024 else f"{size} bytes"
