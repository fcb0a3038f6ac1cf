"""Elicitation as the gateway itself uses it: asking a client's user for a yes.

Must not know: what is asked about.
"""

from __future__ import annotations

from typing import Any

from lockgate.core.raw import Raw


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
