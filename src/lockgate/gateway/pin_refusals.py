"""Why something is withheld, for whoever asked: what is different, and never in the server's words.

Must not know: how it was found out. Whoever reads the refusal may be a model, and what nobody has
approved may be written for it; so of a definition only the names of its parts are told that the
specification gives them. `lockgate approve` shows the rest, to a person.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from lockgate.core.legible import shortened, visible
from lockgate.core.message import Failure
from lockgate.guard.pins.book import ITSELF, Thing
from lockgate.wire.jsonrpc import FORBIDDEN

POLICY: Final = "pins"
State = Literal["new", "changed", "denied", "unknown", "identity", "unread", "unreadable"]
_LONGEST: Final = 128


class Doubt(NamedTuple):
    """What is wrong with a thing of a server.

    changed  the parts of its definition that are different.
    detail   why it could not be read.
    """

    state: State
    server: str
    thing: Thing
    changed: Sequence[str] = ()
    detail: str | None = None


def named(doubt: Doubt) -> str:
    """The thing in words."""
    kind, name = doubt.thing
    server = _safe(doubt.server)
    if kind == "server":
        return f"What the server {server} says of itself"
    return f"The {kind} {_safe(name)} of the server {server}"


def _safe(text: str) -> str:
    return shortened(visible(text), _LONGEST)


def refusal(doubt: Doubt) -> Failure:
    """The Failure that says so."""
    what = named(doubt)
    if doubt.state == "changed":
        parts = ", ".join(doubt.changed) or "its definition"
        return _refused(
            doubt, "pin-changed", f"{what} is not as it was approved; changed: {parts}.", True
        )
    if doubt.state == "denied":
        return _refused(doubt, "pin-denied", f"{what} was looked at by a person and denied.", True)
    if doubt.state in ("identity", "unknown"):
        why = "was never approved"
        if doubt.state == "identity":
            why = "is another program or address than was approved under this name"
        server = f"The server {_safe(doubt.server)} {why}"
        message = f"{server}." if doubt.thing == ITSELF else f"{what} is withheld: {server}."
        return _refused(doubt, "pin-server", message, False)
    if doubt.state == "unreadable":
        return _refused(
            doubt, "pin-unreadable", f"{what} is malformed: {doubt.detail or 'unreadable'}.", False
        )
    if doubt.state == "unread":
        unread = f"{what} cannot be held against what was approved: no list of it was read."
        return _refused(doubt, "pin-unread", unread, False)
    return _refused(doubt, "pin-new", f"{what} was not approved by anybody.", True)


def _refused(doubt: Doubt, reason: str, message: str, single: bool) -> Failure:
    kind, name = doubt.thing
    wanted = f"{doubt.server}/{name}" if single and kind != "server" else doubt.server
    if doubt.state == "unreadable":
        remedy = "Report it to the authors of the server; it cannot be approved."
    elif doubt.state == "unread":
        remedy = "Call again when the server can be read; its state says why it cannot."
    else:
        remedy = (
            "Whoever runs the gateway can look at it and say yes or no: "
            f"lockgate approve {shlex.quote(visible(wanted))}"
        )
    data: dict[str, object] = {"server": doubt.server, "kind": kind, "state": doubt.state}
    if kind != "server":
        data["name"] = name
    if doubt.changed:
        data["changed"] = list(doubt.changed)
    return Failure(
        code=FORBIDDEN,
        message=message,
        origin="policy",
        reason=reason,
        policy=POLICY,
        data=data,
        remedy=remedy,
    )
