"""From grades to shares, bars and tables. Pure.

Must not know: how anything was judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MOST_BLOCKED: Final = 0.0015
MOST_REVIEWED: Final = 0.025
LEAST_BLOCKED: Final = 0.60
LEAST_REVIEWED: Final = 0.80
MOST_MS: Final = 1.0
MOST_GROWTH: Final = 24.0
"""Eight times the text: 8 would be linear, 64 quadratic."""


@dataclass(frozen=True)
class Measured:
    """One judge's grades, by set: `attack SOURCE`, `real`, `neighbours`, `negatives`, `own STYLE`.

    ms  milliseconds for one definition, warm.
    """

    judge: str
    grades: dict[str, list[int]]
    ms: float

    def share(self, name: str, least: int) -> float:
        """How many of a set have at least this grade."""
        grades = self.grades[name]
        return sum(one >= least for one in grades) / max(1, len(grades))

    def macro(self, least: int, without: str = "") -> float:
        """The mean over the sources of attacks, each counted once."""
        names = [name for name in self.grades if name.startswith("attack ") and name != without]
        return sum(self.share(name, least) for name in names) / len(names)

    def figures(self) -> dict[str, Any]:
        """Everything, for a file."""
        sets = {
            name: {
                "n": len(grades),
                "block": self.share(name, 2),
                "review or worse": self.share(name, 1),
            }
            for name, grades in self.grades.items()
        }
        macro = {"block": self.macro(2), "review or worse": self.macro(1)}
        return {"sets": sets, "macro": macro, "ms": self.ms}


def bars(ours: Measured, growth: Mapping[str, float]) -> list[str]:
    """What is not as it has to be."""
    held = (
        ("false alarms at block", ours.share("real", 2), MOST_BLOCKED, True),
        ("false alarms at review or worse", ours.share("real", 1), MOST_REVIEWED, True),
        ("macro detection at block", ours.macro(2), LEAST_BLOCKED, False),
        ("macro detection at review or worse", ours.macro(1), LEAST_REVIEWED, False),
        ("milliseconds for one definition", ours.ms, MOST_MS, True),
        *((f"growth on {name}", ratio, MOST_GROWTH, True) for name, ratio in growth.items()),
    )
    return [
        f"{what}: {value:.4g}, {'at most' if below else 'at least'} {bar:g} is asked"
        for what, value, bar, below in held
        if (value > bar if below else value < bar)
    ]


def show(measured: Sequence[Measured], unavailable: Mapping[str, str]) -> None:
    """One table: sets as rows, judges as columns, `block / review or worse` in per cent."""
    head = "".join(f"{one.judge:>20}" for one in measured)
    print(f"{'% flagged: block / review or worse':<52}{head}")
    ours = measured[0]
    for name in ours.grades:
        cells = "".join(f"{_cell(one, name):>20}" for one in measured)
        print(f"{name + f' ({len(ours.grades[name])})':<52}{cells}")
    print(f"{'macro-average over the sources of attacks':<52}{_macros(measured)}")
    print(f"{'milliseconds for one definition':<52}" + "".join(f"{m.ms:>20.2f}" for m in measured))
    print("\nthe macro-average without one source:")
    for name in ours.grades:
        if name.startswith("attack "):
            print(f"  without {name[7:]:<42}{_macros(measured, name)}")
    for name, why in unavailable.items():
        print(f"\nnot measured: {name}, which cannot be had here: {why}")


def _cell(one: Measured, name: str) -> str:
    sampled = "" if len(one.grades[name]) > 1000 or name != "real" else "~"
    return f"{sampled}{100 * one.share(name, 2):.3g} / {100 * one.share(name, 1):.3g}"


def _macros(measured: Sequence[Measured], without: str = "") -> str:
    return "".join(
        f"{f'{100 * m.macro(2, without):.1f} / {100 * m.macro(1, without):.1f}':>20}"
        for m in measured
    )


def shown_growth(grown: Mapping[str, float]) -> None:
    """How many times longer eight times the text takes."""
    if grown:
        print("\neight times the text takes this many times as long (8: linear, 64: quadratic):")
        print("  " + ", ".join(f"{name} {ratio:.1f}" for name, ratio in grown.items()))
