"""The development data of the guard, and our own examples. Text of attacks: data, nothing else.

Must not know: who judges it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
SHARED: Final = ROOT.parent / "shared" / "data" / "guard"
OWN: Final = Path(__file__).with_name("own.jsonl")


@dataclass(frozen=True)
class Row:
    """One definition: what it is, where it is from, and what people say it is."""

    tool: dict[str, Any]
    source: str
    malicious: bool


@dataclass(frozen=True)
class Corpora:
    """Everything that is measured.

    attacks    malicious definitions by source.
    real       tools of public servers: every alarm is false.
    neighbours honest definitions that stand beside attacks in their sources; labels are noisy.
    negatives  harmless prompts full of trigger words, each as the description of a tool.
    own        our own examples by style, attacks and honest ones.
    """

    attacks: dict[str, list[Row]]
    real: list[Row]
    neighbours: list[Row]
    negatives: list[Row]
    own: dict[str, list[Row]]


def absent() -> str:
    """Why nothing can be measured; empty when it can."""
    return "" if SHARED.is_dir() else f"{SHARED} is not there: the development data is not in git"


def load() -> Corpora:
    """Read all of it."""
    attacks: dict[str, list[Row]] = defaultdict(list)
    neighbours: list[Row] = []
    for row in _rows(SHARED / "poisoned_tools.jsonl"):
        (attacks[row.source] if row.malicious else neighbours).append(row)
    styles: dict[str, list[Row]] = defaultdict(list)
    for row in own():
        styles[row.source if row.malicious else "honest"].append(row)
    negatives = [
        Row({"name": "text", "description": _record(line)["text"]}, "notinject", False)
        for line in _lines(SHARED / "hard_negatives.jsonl")
    ]
    return Corpora(
        dict(attacks), list(_rows(SHARED / "real_tools.jsonl")), neighbours, negatives, dict(styles)
    )


def own() -> list[Row]:
    """Our own examples."""
    return list(_rows(OWN))


def _rows(path: Path) -> Iterator[Row]:
    for line in _lines(path):
        record = _record(line)
        if record.get("kind", "tool_def") == "tool_def":
            yield Row(record["tool"], record["source"], record["label"] == "malicious")


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def _record(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)
    return record


def text_of(tool: dict[str, Any]) -> str:
    """Name, description and every string of the schema: what the rule sets of others are given."""
    found = [str(tool.get("name", "")), str(tool.get("description", ""))]

    def walk(value: object, key: str = "") -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if key == "properties":
                    found.append(name)
                walk(inner, name)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        elif isinstance(value, str):
            found.append(value)

    walk(tool.get("inputSchema"))
    return "\n".join(found)
