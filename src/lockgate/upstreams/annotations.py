"""Which arguments of a server's tools are repeated in headers, learned from its tool list.

Must not know: connections. Source: revision 2026-07-28, server/tools ("x-mcp-header") and
basic/transports/streamable-http ("Custom Headers from Tool Parameters").
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from lockgate.core.message import Result
from lockgate.core.raw import Raw
from lockgate.wire.headers import (
    NO_ANNOTATIONS,
    Annotations,
    InvalidAnnotation,
    param_headers,
)

TOOL_LIMIT: Final = 10_000
_KEY: Final = b"x-mcp-header"


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
        return tool in self._refused

    def forget(self) -> None:
        """The next call has to look at a fresh list."""
        self._complete = False
        self._found = {}
        self._refused = set()

    def complete(self) -> None:
        """Every page has been seen: a tool not noted so far has no annotations."""
        self._complete = True

    def note(self, result: Result, *, first: bool) -> Result:
        """Learn from one page of `tools/list`, `first` when it was asked for without a cursor.

        Returns the page without the tools whose annotations are invalid: the specification has
        clients leave those out.
        """
        page = result.raw
        data = page.encode()
        last = "nextCursor" not in page
        if _KEY not in data and b"\\u" not in data:
            # A server without annotations is the ordinary case and costs one byte search.
            self._complete = self._complete or (first and last)
            return result
        try:
            tools = page.get("tools")
        except msgspec.MsgspecError:
            return result
        if not isinstance(tools, list):
            return result
        kept = [tool for tool in cast("list[Any]", tools) if self._note_tool(tool)]
        self._complete = self._complete or (first and last)
        if len(kept) == len(cast("list[Any]", tools)):
            return Result(Raw(data), result.kind)
        return Result(Raw(data).replace(tools=kept), result.kind)

    def _note_tool(self, tool: Any) -> bool:
        if not isinstance(tool, dict):
            return True
        fields = cast("dict[str, Any]", tool)
        name, schema = fields.get("name"), fields.get("inputSchema")
        if not isinstance(name, str) or not isinstance(schema, dict):
            return True
        try:
            found = param_headers(cast("dict[str, Any]", schema))
        except InvalidAnnotation:
            if len(self._refused) < TOOL_LIMIT:
                self._refused.add(name)
            return False
        self._refused.discard(name)
        if len(self._found) < TOOL_LIMIT:
            self._found[name] = found or NO_ANNOTATIONS
        return True
