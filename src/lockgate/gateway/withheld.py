"""Whether a thing is listed, and why it is shown to nobody, if it is not.

Must not know: who asks, or why the guard judges as it does.
"""

from __future__ import annotations

from typing import NamedTuple

from lockgate.core.message import Failure, Kind
from lockgate.core.names import spell
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.listing import LISTS


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
