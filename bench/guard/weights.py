"""`python -m bench.guard.weights`: what weak signs count, from honest definitions alone.

No attack is looked at, so there is no source of attacks to leave out: the weights are how rare each
sign is among real tools, and the threshold is where the alarms that are left for it are used up.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from bench.guard import corpora
from lockgate.guard.scan import own_names, scan
from lockgate.guard.signals import combination
from lockgate.guard.signals.combination import MARKS, MEANINGS, signs
from lockgate.guard.signals.rows import Rows
from lockgate.guard.text.sentences import sentences
from lockgate.guard.text.walk import places

WRITTEN: Final = Path(combination.__file__).with_name("weights.json")
MOST: Final = 0.0005
"""The share of real tools that may be told of for this and for nothing else."""


def main() -> int:
    """Count, weigh, choose the threshold, write."""
    why = corpora.absent()
    if why:
        print(why, file=sys.stderr)
        return 2
    tools = [row.tool for row in corpora.load().real]
    seen: list[list[list[str]]] = []
    for tool in tools:
        own = own_names(tool)
        seen.append(
            [
                signs(Rows(sentence), own)
                for place in places(tool)
                if place.role == "description"
                for sentence in sentences(place.text)
            ]
        )
    counts = Counter(sign for said in seen for sign in {one for found in said for one in found})
    weights = {
        sign: round(-math.log10((counts[sign] + 1) / (len(tools) + 1)), 2)
        for sign in (*MEANINGS, *MARKS, "foreign")
    }
    quiet = [
        max((sum(weights[sign] for sign in found) for found in said), default=0.0)
        for tool, said in zip(tools, seen, strict=True)
        if all(one.id == "suspicious-combination" for one in scan(tool).findings if _counts(one))
    ]
    threshold = sorted(quiet, reverse=True)[int(MOST * len(tools))]
    written = {
        "threshold": round(threshold + 0.01, 2),
        "meanings": {sign: weights[sign] for sign in MEANINGS},
        "marks": {sign: weights[sign] for sign in MARKS},
        "foreign": weights["foreign"],
    }
    WRITTEN.write_text(json.dumps(written, indent=1) + "\n")
    print(f"{WRITTEN.name}: {len(weights)} signs, from a sum of {written['threshold']}")
    return 0


def _counts(finding: object) -> bool:
    return getattr(finding, "severity", "note") != "note"


if __name__ == "__main__":
    sys.exit(main())
