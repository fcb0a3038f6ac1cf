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
_OWN: Final = Call(method="tools/list", client=OWN_CLIENT["modern"])


class ParamHeaders:
    """Read from definitions once, for as long as lists stay the same."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        if catalog.sights.restricted or not catalog.sights.shared:
            self.of = self._of_one
        self._known: dict[str, Annotations] = {}
        self._edition = -1
        self._lists: dict[str, dict[str, Annotations]] = {}

    def of(self, endpoint: str, tool: str, principal: Principal) -> Annotations | None:
        """Those of one tool; None when it is not known, or not shown to this caller there."""
        found = self._known.get(tool) if self._edition == self._catalog.edition else None
        return self._again(tool) if found is None else found

    def _of_one(self, endpoint: str, tool: str, principal: Principal) -> Annotations | None:
        """As `of`, where not everybody sees the same."""
        call = _OWN.replace(principal=principal, facts={"endpoint": endpoint})
        return self._look_up(tool, call)[1]

    def _again(self, tool: str) -> Annotations | None:
        known, found = self._look_up(tool, _OWN)
        self._known, self._edition = known, self._catalog.edition
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


def _annotations_of(schema: Any) -> Annotations:
    if not isinstance(schema, dict):
        return NO_ANNOTATIONS
    try:
        return param_headers(schema)  # pyright: ignore[reportUnknownArgumentType] - any JSON object
    except InvalidAnnotation:
        return NO_ANNOTATIONS
