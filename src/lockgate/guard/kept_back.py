"""What whoever called is told when content does not pass.

Must not know: what was looked for, or who decided so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lockgate.core.message import Failure
from lockgate.guard.seen import Doing, Seen

FORBIDDEN: Final = -32000


def blocked(seen: Sequence[Seen], policy: str) -> Failure:
    """A result holds what is to be blocked."""
    found = _named(seen, "block")
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


def _named(seen: Sequence[Seen], doing: Doing) -> list[str]:
    return sorted({f"{one.by}: {one.kind}" for one in seen if one.doing == doing})
