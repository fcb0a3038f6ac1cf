"""Which arguments of listed tools are repeated in headers, as each caller is shown the tools.

Must not know: how lists are made, what headers are compared with.
"""

from __future__ import annotations

from typing import Any, Final

from lockgate.core.message import Call, Principal
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.wire.headers import NO_ANNOTATIONS, Annotations, InvalidAnnotation, param_headers

_MOST_LISTS: Final = 256
_MOST_CALLERS: Final = 1024
_OWN: Final = Call(method="tools/list", client=OWN_CLIENT["modern"])


class ParamHeaders:
    """Read from definitions once, for as long as lists stay the same."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._hands = catalog.hands
        self._apart = catalog.sights.restricted or not catalog.sights.shared
        self._known: dict[str, Annotations] = {}
        self._edition = -1
        self._lists: dict[str, dict[str, Annotations]] = {}
        self._ones: dict[tuple[str, int], tuple[Principal, int, dict[str, Annotations]]] = {}

    def of(self, endpoint: str, tool: str, principal: Principal) -> Annotations | None:
        """Those of one tool; None when it is not known, or not shown to this caller there."""
        if self._apart:
            return self._of_one(endpoint, tool, principal)
        found = self._known.get(tool) if self._edition == self._hands.edition else None
        return self._again(tool) if found is None else found

    def _of_one(self, endpoint: str, tool: str, principal: Principal) -> Annotations | None:
        """As `of`, where not everybody sees the same."""
        key = endpoint, id(principal)
        kept = self._ones.get(key)
        # An object that is kept cannot have lent its id to another one.
        if kept is not None and kept[0] is principal and kept[1] == self._hands.edition:
            found = kept[2].get(tool)
            if found is not None:
                return found
        call = _OWN.replace(principal=principal, facts={"endpoint": endpoint})
        known, found = self._look_up(tool, call)
        if len(self._ones) >= _MOST_CALLERS:
            self._ones.clear()
        self._ones[key] = principal, self._hands.edition, known
        return found

    def _again(self, tool: str) -> Annotations | None:
        known, found = self._look_up(tool, _OWN)
        self._known, self._edition = known, self._hands.edition
        return found

    def _look_up(self, tool: str, call: Call) -> tuple[dict[str, Annotations], Annotations | None]:
        face = self._catalog.peek("tools/list", call)
        if face is None:
            return {}, None
        known = self._lists.get(face.digest)
        if known is None:
            if len(self._lists) >= _MOST_LISTS:
                self._lists.clear()
            known = self._lists[face.digest] = {}
        found = known.get(tool)
        item = face.items.get(tool) if found is None else None
        if item is not None:
            found = known[tool] = _annotations_of(item.get("inputSchema"))
        return known, found


class Shown:
    """What is shown now, whichever world that is."""

    __slots__ = ("headers",)

    def __init__(self, headers: ParamHeaders) -> None:
        """`headers` may be others later."""
        self.headers = headers


class ShownAt:
    """The same at one endpoint."""

    __slots__ = ("_endpoint", "_shown")

    def __init__(self, shown: Shown, endpoint: str) -> None:
        """At the endpoint of this path."""
        self._shown = shown
        self._endpoint = endpoint

    def of(self, tool: str, principal: Principal) -> Annotations | None:
        """Which arguments of a tool this caller sees are repeated in headers; None: not known."""
        return self._shown.headers.of(self._endpoint, tool, principal)


def _annotations_of(schema: Any) -> Annotations:
    if not isinstance(schema, dict):
        return NO_ANNOTATIONS
    try:
        return param_headers(schema)  # pyright: ignore[reportUnknownArgumentType] - any JSON object
    except InvalidAnnotation:
        return NO_ANNOTATIONS
