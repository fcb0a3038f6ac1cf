"""`python -m bench.guard.results`: what is found in results, source by source, and what it costs.

Beside it a naive list of phrases. Nothing here was tuned on a split of its own: the marks were
written with these files in sight, so detection is optimistic, and only the false alarms are honest.

Exit status: 0 good; 1 time is not linear; 2 nothing could be measured.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from time import process_time
from typing import Any

from bench.guard import corpora, growth
from lockgate.guard.content import Inspector
from lockgate.guard.filters import Characters, Injection, Secrets

FILES = ("agent_results", "frames_and_results", "hard_negatives", "real_tools")
NAIVE = re.compile(
    r"ignore previous|before using this|first call|send.{0,80}to.{0,80}external"
    r"|override.{0,80}instruction",
    re.IGNORECASE,
)
CLASSES = ("characters", "secrets", "injection")
MOST_GROWTH = 24.0
SIZES = (100, 2_000, 256 * 1024)
INSPECTOR = Inspector([Characters("redact"), Secrets("redact"), Injection("flag")])

Set = tuple[str, str, str]


def main() -> int:
    """Measure and print."""
    why = corpora.absent()
    if why:
        print(why, file=sys.stderr)
        return 2
    found, naive, count, seconds = _found()
    head = "".join(f"{name:>12}" for name in (*CLASSES, "any", "naive"))
    print(f"{'% of rows with something found, by source':<58}{'rows':>7}{head}")
    for one in sorted(count):
        rows = count[one]
        shares = [100 * found[one][name] / rows for name in (*CLASSES, "any")]
        shown = "".join(f"{share:>12.2f}" for share in (*shares, 100 * naive[one] / rows))
        print(f"{', '.join(filter(None, one)):<58}{rows:>7}{shown}")
    print(f"\n{1000 * seconds / sum(count.values()):.3f} ms of CPU a row")
    for size in SIZES:
        quiet = json.dumps({"content": [{"type": "text", "text": "a quiet day " * (size // 12)}]})
        took = _least(partial(INSPECTOR.inspect, quiet.encode()))
        print(f"{size:>8} bytes with nothing in them: {1e6 * took:.1f} µs")
    grown = growth.ratios(_took)
    print("\neight times the text takes this many times as long (8: linear, 64: quadratic):")
    print("  " + ", ".join(f"{name} {ratio:.1f}" for name, ratio in grown.items()))
    worst = [name for name, ratio in grown.items() if ratio > MOST_GROWTH]
    print(*(f"missed: growth on {name}" for name in worst), sep="\n")
    return 1 if worst else 0


def _found() -> tuple[dict[Set, dict[str, int]], dict[Set, int], dict[Set, int], float]:
    found: dict[Set, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    naive: dict[Set, int] = defaultdict(int)
    count: dict[Set, int] = defaultdict(int)
    seconds = 0.0
    for row in _rows():
        one = row["source"], row["label"], row.get("attack") or row.get("category") or ""
        if row["label"] == "benign":
            one = (*one[:2], "")
        said = row.get("frame") or row.get("text") or row.get("tool")
        data = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
        began = process_time()
        seen = INSPECTOR.inspect(data).seen
        seconds += process_time() - began
        count[one] += 1
        naive[one] += NAIVE.search(json.dumps(said)) is not None
        for name in {each.by for each in seen} | ({"any"} if seen else set[str]()):
            found[one][name] += 1
    return found, naive, count, seconds


def _rows() -> Iterator[dict[str, Any]]:
    for name in FILES:
        for line in (corpora.SHARED / f"{name}.jsonl").read_text("utf-8").splitlines():
            yield json.loads(line)


def _took(text: str) -> float:
    data = json.dumps(text).encode()
    return _least(lambda: INSPECTOR.inspect(data), 2)


def _least(run: Callable[[], object], tries: int = 20) -> float:
    least = float("inf")
    for _ in range(tries):
        began = process_time()
        run()
        least = min(least, process_time() - began)
    return least


if __name__ == "__main__":
    sys.exit(main())
