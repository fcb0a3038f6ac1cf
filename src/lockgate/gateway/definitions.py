"""What a caller was shown of a tool, as its server wrote it.

Must not know: who wants to know, or what for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lockgate.core.message import Call
from lockgate.core.raw import Raw

if TYPE_CHECKING:
    from lockgate.gateway.catalog import Catalog


class Definitions:
    """Knows nothing until it is told of a catalog."""

    def __init__(self) -> None:
        self._of: Callable[[Call], Raw | None] = lambda _: None

    def __call__(self, call: Call) -> Raw | None:
        """The definition of the tool that a call to its server is about; None: it is on no list."""
        return self._of(call)

    def follow(self, catalog: Catalog) -> None:
        """From now on, by what this catalog shows."""
        self._of = lambda call: shown(catalog, call)


def shown(catalog: Catalog, call: Call) -> Raw | None:
    """As the list has it that the call is routed by."""
    face = catalog.neutral("tools/list", call) or catalog.peek("tools/list", call)
    target = call.target
    if face is None or target is None:
        return None
    for part in face.parts:
        if part.server == target.server and part.problem is None:
            for item in part.items:
                if item.key == target.name:
                    return item.raw
    return None
