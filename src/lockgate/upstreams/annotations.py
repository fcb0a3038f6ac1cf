"""Which arguments of a server's tools are repeated in headers, learned from its tool list.

Must not know: connections. Source: revision 2026-07-28, server/tools ("x-mcp-header") and
basic/transports/streamable-http ("Custom Headers from Tool Parameters").
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, cast

import msgspec

from lockgate.core.message import Result
from lockgate.wire.headers import (
    NO_ANNOTATIONS,
    Annotations,
    InvalidAnnotation,
    param_headers,
)
from lockgate.wire.modern_shapes import Listed

TOOL_LIMIT: Final = 10_000
_KEY: Final = b"x-mcp-header"


_read_tools: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_tool: Final = msgspec.json.Decoder(Listed).decode
_decode: Final = msgspec.json.Decoder().decode


class ToolAnnotations:
    """The annotations of one server's tools, as of the last list seen."""

    __slots__ = ("_complete", "_found", "_refused")

    def __init__(self) -> None:
        self._found: dict[str, Annotations] = {}
        self._refused: set[str] = set()
        self._complete = False

    def of(self, tool: str) -> Annotations | None:
        """The annotations of `tool`; None when no list has been seen that would tell."""
        found = self._found.get(tool)
        if found is None and self._complete:
            return NO_ANNOTATIONS
        return found

    def refused(self, tool: str) -> bool:
        """Whether `tool` was left out of the list, so that it must not be callable either."""
        refused = self._refused
        if not refused:
            return False
        return tool in refused or (len(refused) >= TOOL_LIMIT and tool not in self._found)

    def forget(self) -> None:
        """The next call has to look at a fresh list. What was refused stays so until it is seen."""
        self._complete = False
        self._found = {}

    def complete(self) -> None:
        """Every page has been seen: a tool not noted so far has no annotations."""
        self._complete = True

    def note(self, result: Result, *, first: bool) -> Result:
        """Learn from one page of `tools/list`, `first` when it was asked for without a cursor.

        Returns the page without the tools whose annotations are invalid: the specification has
        clients leave those out.
        """
        page = result.raw
        last = "nextCursor" not in page
        try:
            tools = _read_tools(page.member("tools") or b"[]")
        except msgspec.MsgspecError:
            # No list at all, and whoever wanted one will say so.
            return result
        if _marked(page.encode()):
            kept = [tool for tool in tools if self._note_tool(bytes(tool))]
        else:
            # A server without annotations is the ordinary case and costs little.
            kept = tools
            self._note_plain(tools)
        self._complete = self._complete or (first and last)
        if len(kept) == len(tools):
            return result
        members = {"tools": b"[%b]" % b",".join(map(bytes, kept))}
        return Result(page.with_members(members), result.kind)

    def _note_plain(self, tools: list[msgspec.Raw]) -> None:
        """None of these has annotations, whatever they had before."""
        if not self._refused and not self._found:
            return
        for tool in tools:
            with suppress(msgspec.MsgspecError):
                name = _read_tool(tool).name
                self._refused.discard(name)
                self._found.pop(name, None)

    def _note_tool(self, data: bytes) -> bool:
        """Whether this tool may be listed. One that is marked and cannot be read may not."""
        try:
            tool = _read_tool(data)
        except msgspec.MsgspecError:
            return not _marked(data)
        try:
            schema: Any = _decode(tool.inputSchema)
            found = param_headers(cast("dict[str, Any]", schema)) if schema is not None else {}
        except (InvalidAnnotation, msgspec.MsgspecError, RecursionError):
            if _marked(data):
                if len(self._refused) < TOOL_LIMIT:
                    self._refused.add(tool.name)
                return False
            found = {}
        self._refused.discard(tool.name)
        if len(self._found) < TOOL_LIMIT:
            self._found[tool.name] = found or NO_ANNOTATIONS
        return True


def _marked(data: bytes) -> bool:
    """Whether an annotation may be in there; a key can be spelled with escapes."""
    return _KEY in data or b"\\u" in data
