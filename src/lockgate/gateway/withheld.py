"""Whether a thing is listed, and why it is shown to nobody, if it is not; one, or all there are.

Must not know: who asks, or why the guard judges as it does.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, cast

from lockgate.core.message import Call, Failure, Kind
from lockgate.core.names import spell
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.listing import LISTS
from lockgate.gateway.sights import OPERATOR
from lockgate.gateway.status import Withheld


class Held(NamedTuple):
    """What is known of a thing.

    listed   its server lists it, to a client that can do nothing.
    refused  why it is on no list for all that; None: it is.
    """

    listed: bool
    refused: Failure | None


def held(catalog: Catalog, server: str, kind: Kind, name: str) -> Held:
    """What is known of a thing, once the server's lists were read."""
    method = next(entry.method for entry in LISTS.values() if entry.kind == kind)
    face = catalog.everything(method)
    naming = catalog.sights.everything.naming
    public = spell(server, name, naming) if LISTS[method].key == "name" else name
    refused = None if public in face.routes else face.refused.get(public)
    return Held(catalog.definition(server, method, name) is not None, refused)


def all_withheld(catalog: Catalog, method: str) -> dict[str, Failure]:
    """What of these lists nobody is shown, under the names it would have, and why."""
    asked = Call(method=method, client=OWN_CLIENT["modern"], principal=OPERATOR)
    face = catalog.peek(method, asked)
    refused = {} if face is None else face.refused
    return {name: why for name, why in refused.items() if why.reason != "name-collision"}


def withheld_by_server(catalog: Catalog) -> dict[str, tuple[Withheld, ...]]:
    """How much of each server nobody is shown, of servers with any such thing."""
    found: dict[str, Counter[tuple[Kind, str]]] = {}
    for method, entry in LISTS.items():
        for why in all_withheld(catalog, method).values():
            data = cast("dict[str, object]", why.data or {})
            counted = found.setdefault(str(data.get("server")), Counter())
            counted[entry.kind, why.reason] += 1
    return {
        server: tuple(Withheld(*key, count) for key, count in counted.items())
        for server, counted in found.items()
    }
