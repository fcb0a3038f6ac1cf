"""The arithmetic of the benchmark's report; no figure is measured here."""

from __future__ import annotations

from bench.report import (
    BARS,
    FLAT_BYTES,
    Measurement,
    Memory,
    as_json,
    bars,
    good,
    ratio,
    rows,
    table,
    verdicts,
)


def measured(
    target: str,
    turn: int,
    rps: float,
    p50: float,
    connections: int = 32,
    errors: int = 0,
    scenario: str = "call",
) -> Measurement:
    return Measurement(
        scenario=scenario,
        cell="modern",
        connections=connections,
        target=target,
        round=turn,
        rps=rps,
        p50=p50,
        p99=2 * p50,
        cpu=10.0 + turn,
        rss=(50 + turn) * 2**20,
        errors=errors,
    )


def test_rows_are_medians_and_errors_are_summed() -> None:
    row = rows([measured("nginx", turn, rps, 9, errors=1) for turn, rps in enumerate((5, 1, 3))])
    assert len(row) == 1
    assert (row[0].rps, row[0].cpu, row[0].rss, row[0].errors) == (3, 11.0, 51 * 2**20, 3)


def test_ratios_are_taken_within_a_round() -> None:
    # The machine was twice as slow in the second round and four times in the third.
    both = [measured("nginx", turn, 1000 / 2**turn, 10) for turn in range(3)]
    both += [measured("lockgate", turn, 600 / 2**turn, 20) for turn in range(3)]
    both += [measured("lockgate", 9, 1, 1)]
    assert ratio(both, "call", "modern", 32, "lockgate", figure="rps") == 0.6
    assert ratio(both, "call", "modern", 32, "lockgate", figure="p50") == 2.0
    assert ratio(both, "call", "modern", 1, "lockgate", figure="rps") is None
    assert ratio(both[3:], "call", "modern", 32, "lockgate", figure="rps") is None


def test_bars_pass_fail_or_are_not_measured() -> None:
    runs = [
        measured("nginx", 0, 1000, 100),
        measured("lockgate", 0, 450, 900),
        measured("nginx", 0, 1000, 100, connections=1),
        measured("lockgate", 0, 1000, 251, connections=1),
    ]
    judged = {str(one.bar): one.passed for one in verdicts(runs)}
    assert judged["modern call, c=32: rps >= 0.45 x nginx"] is True
    assert judged["modern call, c=1: p50 <= 2.5 x nginx"] is False
    assert list(judged.values()).count(None) == len(BARS) - 2
    assert not good(runs)
    assert good(runs[:2])
    assert not good([*runs[:2], measured("direct", 0, 1, 1, errors=1)])
    shown = bars(runs).splitlines()
    assert [line.split()[0] for line in shown[:2]] == ["PASS", "FAIL"]
    assert shown[1].endswith(": 2.51")
    assert shown[2].startswith("not measured")


def test_no_bar_is_reached_with_wrong_answers() -> None:
    runs = [measured("nginx", 0, 1000, 100), measured("lockgate", 0, 9000, 9, errors=1)]
    first = bars(runs).splitlines()[0]
    assert first.startswith("FAIL")
    assert first.endswith(": 9.00 (wrong answers)")


def test_table_and_json_hold_every_row() -> None:
    runs = [measured("direct", 0, 2000, 50), measured("nginx", 0, 1000, 100)]
    lines = table(runs).splitlines()
    assert len(lines) == 4
    assert lines[2].split()[:5] == ["modern", "call", "32", "direct", "2,000"]
    assert "2.00" in lines[2]
    assert len(lines[0]) == len(lines[2])
    written = as_json(runs)
    assert len(written["measurements"]) == len(written["rows"]) == 2
    assert len(written["bars"]) == len(BARS)
    assert written["good"] is True


def memory(*sizes: int, calls: int = 200_000) -> Memory:
    step = calls // len(sizes) + 1
    points = tuple((step * number, size) for number, size in enumerate(sizes, 1))
    return Memory(points, 200_000)


def test_memory_is_flat_after_the_first_cycle() -> None:
    base = 100 * 2**20
    assert memory(1, base, base, base + 10, base, base).flat
    assert memory(1, base, base, base, 9 * base, base, base).flat, "one odd reading"
    assert not memory(1, *(base + number * FLAT_BYTES for number in range(6))).flat
    assert not memory(1, base, base, base, calls=100_000).flat, "too few calls"
    assert not memory(base).flat
    assert not Memory((), 200_000).flat
