"""From measurements to medians, ratios, bars and a table. Pure.

Must not know: how anything was measured.

A ratio compares two targets within one round and is then taken as the median over the rounds: the
two ran one right after the other, so what the machine did meanwhile cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final, Literal

Figure = Literal["rps", "p50", "p99", "cpu", "rss"]


@dataclass(frozen=True)
class Measurement:
    """One run of one scenario against one target.

    p50, p99  microseconds.
    cpu       microseconds of the target's own processes for one call.
    rss       bytes of the target's processes at the end of the run.
    errors    requests that failed or were not answered as they should be.
    """

    scenario: str
    cell: str
    connections: int
    target: str
    round: int
    rps: float
    p50: float
    p99: float
    cpu: float
    rss: int
    errors: int = 0


@dataclass(frozen=True)
class Bar:
    """What Lockgate has to reach, as a ratio to nginx."""

    scenario: str
    cell: str
    connections: int
    figure: Figure
    ratio: float

    @property
    def at_most(self) -> bool:
        """Less is better: everything but requests per second."""
        return self.figure != "rps"

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        return (
            f"{self.cell} {self.scenario}, c={self.connections}: "
            f"{self.figure} {sign} {self.ratio:g} x nginx"
        )


BARS: Final = (
    Bar("call", "modern", 32, "rps", 0.45),
    Bar("call", "modern", 1, "p50", 2.5),
    Bar("call", "handshake", 32, "rps", 0.35),
    Bar("call", "modern-handshake", 32, "rps", 0.35),
    Bar("call", "handshake-modern", 32, "rps", 0.35),
    Bar("big", "modern", 32, "rps", 0.5),
    Bar("big", "handshake", 32, "rps", 0.5),
    Bar("list", "modern", 32, "rps", 0.6),
    Bar("list", "handshake", 32, "rps", 0.6),
)


@dataclass(frozen=True)
class Verdict:
    """A bar and what was reached. `ratio` None: it was not measured in this run.

    wrong  answers were not what they should be: how quickly they came says nothing.
    """

    bar: Bar
    ratio: float | None
    wrong: bool = False

    @property
    def passed(self) -> bool | None:
        """None when it was not measured."""
        if self.ratio is None:
            return None
        if self.wrong:
            return False
        if self.bar.at_most:
            return self.ratio <= self.bar.ratio
        return self.ratio >= self.bar.ratio


@dataclass(frozen=True)
class Row:
    """The medians of one scenario, cell, number of connections and target; `errors` is a sum."""

    scenario: str
    cell: str
    connections: int
    target: str
    rps: float
    p50: float
    p99: float
    cpu: float
    rss: float
    errors: int
    rps_to_nginx: float | None
    rps_to_nginx_low: float | None
    rps_to_nginx_high: float | None
    p50_to_nginx: float | None
    cpu_to_nginx: float | None


def rows(measured: Sequence[Measurement]) -> list[Row]:
    """One row for each combination, in the order in which they were first measured."""
    groups: dict[tuple[str, str, int, str], list[Measurement]] = {}
    for one in measured:
        key = (one.scenario, one.cell, one.connections, one.target)
        groups.setdefault(key, []).append(one)
    return [
        Row(
            *key,
            rps=median(one.rps for one in group),
            p50=median(one.p50 for one in group),
            p99=median(one.p99 for one in group),
            cpu=median(one.cpu for one in group),
            rss=median(one.rss for one in group),
            errors=sum(one.errors for one in group),
            rps_to_nginx=ratio(measured, *key, figure="rps"),
            rps_to_nginx_low=min(ratios(measured, *key, figure="rps"), default=None),
            rps_to_nginx_high=max(ratios(measured, *key, figure="rps"), default=None),
            p50_to_nginx=ratio(measured, *key, figure="p50"),
            cpu_to_nginx=ratio(measured, *key, figure="cpu"),
        )
        for key, group in groups.items()
    ]


def ratio(
    measured: Sequence[Measurement],
    scenario: str,
    cell: str,
    connections: int,
    target: str,
    *,
    figure: Figure,
) -> float | None:
    """The median over the rounds of target / nginx; None when no round has both."""
    found = ratios(measured, scenario, cell, connections, target, figure=figure)
    return median(found) if found else None


def ratios(
    measured: Sequence[Measurement],
    scenario: str,
    cell: str,
    connections: int,
    target: str,
    *,
    figure: Figure,
) -> list[float]:
    """Target / nginx of every round that has both."""
    wanted = [
        one
        for one in measured
        if (one.scenario, one.cell, one.connections) == (scenario, cell, connections)
    ]
    nginx = {one.round: getattr(one, figure) for one in wanted if one.target == "nginx"}
    return [
        getattr(one, figure) / nginx[one.round]
        for one in wanted
        if one.target == target and nginx.get(one.round)
    ]


def verdicts(measured: Sequence[Measurement]) -> list[Verdict]:
    """Every bar, with what Lockgate reached."""
    return [
        Verdict(
            bar,
            ratio(measured, bar.scenario, bar.cell, bar.connections, "lockgate", figure=bar.figure),
            any(
                one.errors and (one.scenario, one.cell) == (bar.scenario, bar.cell)
                for one in measured
            ),
        )
        for bar in BARS
    ]


def good(measured: Sequence[Measurement]) -> bool:
    """Nothing went wrong, and no bar that was measured was missed."""
    missed = any(verdict.passed is False for verdict in verdicts(measured))
    return not missed and not any(one.errors for one in measured)


_HEADINGS: Final = (
    "client-server", "scenario", "c", "target", "req/s", "p50 us", "p99 us", "CPU us", "RSS MiB",
    "req/s : nginx", "spread", "p50 : nginx", "CPU : nginx", "errors",
)  # fmt: skip


def table(measured: Sequence[Measurement]) -> str:
    """The rows as text."""
    lines = [list(_HEADINGS), *(_cells(row) for row in rows(measured))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_line(line, widths) for line in lines)


def _cells(row: Row) -> list[str]:
    return [
        row.cell, row.scenario, str(row.connections), row.target, f"{row.rps:,.0f}",
        f"{row.p50:,.0f}", f"{row.p99:,.0f}", f"{row.cpu:.1f}", f"{row.rss / 2**20:.1f}",
        _ratio(row.rps_to_nginx), _spread(row), _ratio(row.p50_to_nginx), _ratio(row.cpu_to_nginx),
        str(row.errors),
    ]  # fmt: skip


def _line(cells: list[str], widths: list[int]) -> str:
    aligned = [
        cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()


_NUMBERS: Final = frozenset({2, *range(4, len(_HEADINGS))})


def _spread(row: Row) -> str:
    if row.rps_to_nginx_low is None or row.target == "nginx":
        return "-"
    return f"{_ratio(row.rps_to_nginx_low)}-{_ratio(row.rps_to_nginx_high)}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def bars(measured: Sequence[Measurement]) -> str:
    """The bars as text, one a line."""
    words = {True: "PASS", False: "FAIL", None: "not measured"}
    return "\n".join(
        f"{words[verdict.passed]:<13} {verdict.bar}: {_ratio(verdict.ratio)}"
        f"{' (wrong answers)' if verdict.wrong else ''}"
        for verdict in verdicts(measured)
    )


def as_json(measured: Sequence[Measurement]) -> dict[str, Any]:
    """Everything: measurements, medians, bars."""
    return {
        "measurements": [asdict(one) for one in measured],
        "rows": [asdict(row) for row in rows(measured)],
        "bars": [
            {**asdict(one.bar), "reached": one.ratio, "passed": one.passed}
            for one in verdicts(measured)
        ],
        "good": good(measured),
    }


FLAT_BYTES: Final = 4 * 2**20


@dataclass(frozen=True)
class Memory:
    """Memory after each cycle of the same work.

    points  (calls so far, bytes) at the end of each cycle; the first cycle is for warming up.
    """

    points: tuple[tuple[int, int], ...]
    wanted: int

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return self.points[-1][0] if self.points else 0

    @property
    def growth(self) -> float:
        """Bytes from the beginning to the end of what came after the first cycle.

        Medians of the first and last third, so that one odd reading decides nothing.
        """
        settled = [size for _, size in self.points[1:]]
        if len(settled) < 2:
            return float("inf")
        third = max(1, len(settled) // 3)
        return median(settled[-third:]) - median(settled[:third])

    @property
    def flat(self) -> bool:
        """Enough calls were made, and memory did not grow with them."""
        return self.calls >= self.wanted and self.growth <= FLAT_BYTES
