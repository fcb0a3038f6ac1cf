"""Weak signs that are rare together: each counts by how rarely an honest sentence has it.

Must not know: what each sign means by itself, or how the weights came about (`bench/guard/weights`
makes them from honest definitions alone, so that no attack that was seen shapes them).

A sign can only add to the sum, never take from it, so that no amount of honest words beside it
makes a sentence look better.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from lockgate.guard.signals.rows import Rows


class Weights(msgspec.Struct, frozen=True):
    """What each sign counts, and the sum from which a sentence is told of.

    Every weight is minus the decimal logarithm of the share of honest definitions that have the
    sign: 3 is one in a thousand.
    """

    threshold: float
    meanings: dict[str, float]
    marks: dict[str, float]
    foreign: float


WEIGHTS: Final = msgspec.json.decode(
    Path(__file__).with_name("weights.json").read_bytes(), type=Weights
)

MEANINGS: Final = (
    *("model", "must", "before", "whenever", "secret", "secret-file", "context", "personal"),
    *("strictly-send", "sent", "handed", "override", "tamper", "delete", "shell", "lever"),
    *("urgent", "external", "silently", "hidden", "not", "strictly-tell", "person", "rules"),
    *("disparaged", "choose", "also", "aside", "regardless", "harm", "unaware", "naturally"),
    *("standing", "kept", "asked-of-model", "takes-over", "best", "consent-skipped", "install"),
    *("freed", "fully-said", "verbatim"),
)
MARKS: Final = ("url", "mail", "phone", "home", "path")
_MEANT: Final = tuple(WEIGHTS.meanings.items())
_MARKED: Final = tuple(WEIGHTS.marks.items())


def signs(rows: Rows, own: frozenset[str]) -> list[str]:
    """The signs a sentence has."""
    found = [one for one in MEANINGS if rows[one]]
    found += [one for one in MARKS if rows.marks[one]]
    if rows.foreign(own):
        found.append("foreign")
    return found


def suspicious(rows: Rows, own: frozenset[str]) -> bool:
    """Whether a sentence has more weak signs than honest ones have."""
    total = sum(weight for meaning, weight in _MEANT if rows[meaning])
    total += sum(weight for mark, weight in _MARKED if rows.marks[mark])
    if total + WEIGHTS.foreign < WEIGHTS.threshold:
        return False
    return total + (WEIGHTS.foreign if rows.foreign(own) else 0.0) >= WEIGHTS.threshold
