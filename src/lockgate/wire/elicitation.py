"""Elicitation as the gateway itself uses it: asking a client's user for a yes.

Must not know: why somebody is asked.
"""

from __future__ import annotations

from typing import Any, Final, cast

from lockgate.core.legible import Hidden, lines, shortened, visible
from lockgate.core.message import Call, Failure
from lockgate.core.raw import Raw

ASKABLE: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Methods that may be answered with a question (2026-07-28, multi round-trip requests)."""
LONGEST_NAME: Final = 200


def shows_forms(capabilities: Raw) -> bool:
    """Whether a client declared that it shows forms; an empty declaration means that."""
    if "elicitation" not in capabilities:
        return False
    modes = capabilities.object("elicitation")
    return not len(modes) or "form" in modes


def yes_or_no(message: str) -> dict[str, Any]:
    """A request that a person can only accept or decline: a form without fields."""
    form: dict[str, Any] = {"type": "object", "properties": {}}
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": form}}


def because(failure: Failure) -> str:
    """Why a person is asked about a call, where whoever wants them asked says so."""
    data: object = failure.data
    said = cast("dict[str, object]", data).get("because") if isinstance(data, dict) else None
    return said if isinstance(said, str) else ""


def question(call: Call, hidden: Hidden, characters: int, why: str = "") -> str:
    """Whether this call is to go on. What is shown of the arguments is what the server is sent.

    Args:
        call: what is asked about.
        hidden: whether an argument of a name is not shown.
        characters: how much of the arguments is.
        why: why it is asked, if that is to be said.

    Raises:
        msgspec.MsgspecError: the params cannot be read.
    """
    target = call.target
    if target is None:
        return "Is this call to go on?"
    name, server = (shortened(visible(one), LONGEST_NAME) for one in (target.name, target.server))
    text = f"Is the {target.kind} {name} of the server {server} to be used?"
    arguments: object = call.params.get("arguments")
    ending = (f"It is asked because {why}.",) if why else ()
    if not arguments:
        text = f"{text} It is given no arguments." if target.kind == "tool" else text
        return "\n".join((text, *ending))
    shown = lines(arguments, hidden, characters)
    return "\n".join((f"{text} With these arguments:", *shown, *ending))
