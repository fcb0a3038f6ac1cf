"""One item of the checklist, and what is said of it.

Must not know: any item, or how they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from lockgate.checklist.facts import Facts

Area = Literal["security", "reliability", "observability", "scale", "deployment"]
State = Literal["holds", "lacks", "unknown", "moot"]

AREAS: Final[dict[Area, str]] = {
    "security": "Security",
    "reliability": "Reliability",
    "observability": "Observability",
    "scale": "Scale",
    "deployment": "Deployment",
}
STATES: Final[dict[State, str]] = {
    "holds": "It is so.",
    "lacks": "It is not so, and there is a setting for it.",
    "unknown": "A configuration cannot tell; a command can.",
    "moot": "There is nothing here that it could be about.",
}


class Verdict(msgspec.Struct, frozen=True):
    """What is said of an item: how it stands, and what was seen."""

    state: State
    said: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item.

    id        stable, for programs.
    holds     what is so when it holds, in one sentence.
    why       what it is good for.
    judge     how a configuration is judged; None: nothing in one could tell.
    setting   what to change, in words that name the keys.
    ask       the command that tells, when a configuration cannot.
    lacking   a configuration in which it lacks.
    having    the same with what was lacking.
    """

    id: str
    area: Area
    holds: str
    why: str
    judge: Callable[[Facts], Verdict] | None = None
    setting: str = ""
    ask: str = ""
    lacking: Mapping[str, Any] | None = None
    having: Mapping[str, Any] | None = None


class Result(msgspec.Struct, frozen=True):
    """An item and how it stands."""

    item: Item
    verdict: Verdict


def holds(said: str = "") -> Verdict:
    """It is so."""
    return Verdict("holds", said)


def lacks(said: str) -> Verdict:
    """It is not so."""
    return Verdict("lacks", said)


def moot(said: str) -> Verdict:
    """There is nothing it could be about."""
    return Verdict("moot", said)


def said_of(names: list[str], what: str) -> Verdict:
    """It lacks for these servers, or for none."""
    return lacks(f"{what}: {', '.join(names)}.") if names else holds()
