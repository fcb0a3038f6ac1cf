"""What whoever called is told when content does not pass.

Must not know: what was looked for, or who decided so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lockgate.core.message import Failure
from lockgate.guard.seen import Doing, Seen

FORBIDDEN: Final = -32000
INTERNAL_ERROR: Final = -32603
AGAIN: Final = 5
"""Seconds after which a store that was away may be back."""
HELD: Final = "result-held"


def blocked(seen: Sequence[Seen], policy: str) -> Failure:
    """A result holds what is to be blocked, or what nobody can be asked about here."""
    found = _named(seen, "block") or _named(seen, "quarantine")
    return Failure(
        code=FORBIDDEN,
        message=f"What the server answered does not pass here ({', '.join(found)}).",
        origin="policy",
        reason="result-blocked",
        policy=policy,
        data={"found": found},
        remedy="Ask whoever runs the gateway; lockgate.guard.results says what is blocked.",
    )


def unredactable(seen: Sequence[Seen], policy: str) -> Failure:
    """What had to be taken out of a result leaves it other than its tool promises."""
    found = _named(seen, "redact")
    return Failure(
        code=FORBIDDEN,
        message=f"Without what is taken out ({', '.join(found)}) it is not what the tool promises.",
        origin="policy",
        reason="result-unredactable",
        policy=policy,
        data={"found": found},
        remedy="Ask whoever runs the gateway; `flag` in lockgate.guard.results lets it pass.",
    )


def kept_for_a_person(seen: Sequence[Seen], policy: str, result: bytes) -> Failure:
    """A result is to be held until somebody has looked at it; for whoever asks them."""
    return held(_named(seen, "quarantine"), policy).replace(detail=result.decode())


def held(found: Sequence[str], policy: str, *, too_large: bool = False) -> Failure:
    """A result is held back, and there is nobody to ask, or it is too large to be kept for them."""
    why = "it is too large to be held for one" if too_large else "this client can ask nobody"
    return Failure(
        code=FORBIDDEN,
        message=(
            f"What the server answered is held back until a person has looked at it "
            f"({', '.join(found)}); {why}."
        ),
        origin="policy",
        reason=HELD,
        policy=policy,
        data={"found": list(found)},
        remedy=(
            "The call was made. Call from a client that shows forms (elicitation), or ask whoever "
            "runs the gateway: lockgate.guard.results says what is held."
        ),
    )


def said_no(found: Sequence[str], policy: str) -> Failure:
    """A person looked at a result and did not let it go."""
    return Failure(
        code=FORBIDDEN,
        message=f"A person looked at what the server answered and kept it ({', '.join(found)}).",
        origin="policy",
        reason="result-refused",
        policy=policy,
        data={"found": list(found)},
        remedy="Do without it; the call was made, and is not to be made again for this.",
    )


def foreign(policy: str) -> Failure:
    """What a result was held in does not open: another's, too old, or used."""
    return Failure(
        code=FORBIDDEN,
        message="The held result is gone: it was asked for before, too late, or by others.",
        origin="client",
        reason="result-gone",
        policy=policy,
        remedy="Make the call anew, if it may be made twice.",
    )


def unknown(policy: str) -> Failure:
    """Whether somebody's yes was used before cannot be told."""
    return Failure(
        code=INTERNAL_ERROR,
        message="Whether this answer of a person was used before cannot be told now.",
        origin="gateway",
        reason="approval-unavailable",
        policy=policy,
        data={"retry_after": AGAIN},
        remedy="Try again with the same answer; the store that replicas share is away.",
    )


def _named(seen: Sequence[Seen], doing: Doing) -> list[str]:
    return sorted({f"{one.by}: {one.kind}" for one in seen if one.doing == doing})
