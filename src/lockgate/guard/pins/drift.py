"""What a server defines now, held against what was approved of it. Pure.

Must not know: how a server is asked, files, terminals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from lockgate.guard.pins.book import SUBJECTS, Entry, ServerPins, Thing

What = Literal["new server", "identity", "new", "changed", "as before", "denied", "gone"]


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    before  the latest approved definition; None: there is none.
    after   the one that there is now.
    """

    server: str
    what: What
    thing: Thing | None = None
    before: Any = None
    after: Any = None
    fingerprint: str = ""


def drift(
    server: str,
    pins: ServerPins | None,
    identity: Mapping[str, Any],
    found: Mapping[Thing, Entry],
    *,
    whole: bool = True,
) -> list[Drift]:
    """Every difference, in the order of the book.

    whole  everything there is was found: what is missing is gone.
    """
    if pins is None:
        return [
            Drift(server=server, what="new server", after=dict(identity)),
            *_new(server, ServerPins(identity=identity), found),
        ]
    listed: list[Drift] = []
    if dict(pins.identity) != dict(identity):
        listed.append(
            Drift(server=server, what="identity", before=dict(pins.identity), after=dict(identity))
        )
    listed += _new(server, pins, found, anew=bool(listed))
    if whole:
        listed += [
            Drift(server=server, what="gone", thing=thing, before=_latest(pins.entries[thing]))
            for thing in sorted(pins.entries, key=_order)
            if thing not in found and pins.entries[thing].pins
        ]
    return listed


def _new(
    server: str, pins: ServerPins, found: Mapping[Thing, Entry], *, anew: bool = False
) -> list[Drift]:
    """What was not approved; `anew`: nothing was, for it was approved of another server."""
    listed: list[Drift] = []
    for thing in sorted(found, key=_order):
        entry = pins.of(thing)
        for pin in found[thing].pins:
            known = entry.has(pin.fingerprint)
            if known and not anew:
                continue
            what: What = "as before" if known else "changed" if entry.pins else "new"
            listed.append(
                Drift(
                    server=server,
                    what="denied" if entry.denied is not None else what,
                    thing=thing,
                    before=_latest(entry),
                    after=pin.definition,
                    fingerprint=pin.fingerprint,
                )
            )
    return listed


def _latest(entry: Entry) -> Any:
    return entry.pins[-1].definition if entry.pins else None


def _order(thing: Thing) -> tuple[int, str]:
    return SUBJECTS.index(thing[0]), thing[1]
