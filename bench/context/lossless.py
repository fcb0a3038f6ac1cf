"""`python -m bench.context.lossless FILE...`: does a compacted schema accept what it accepted?

For every schema of every file (JSON lines, each a tool with `inputSchema` or `input_schema`),
values that fit it and values that nearly do are held against the original and the compacted schema
by two independent validators. Any difference is printed, and ends the run with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import jsonschema_rs
from jsonschema.validators import validator_for

from bench.context.instances import instances, seeded
from lockgate.context.compact.keywords import TooDeep
from lockgate.context.compact.lossless import lossless


class Outcome(NamedTuple):
    """How many schemas were changed, how many values judged, and what differed."""

    schemas: int
    changed: int
    values: int
    accepted: int
    differences: list[tuple[Any, Any, Any]]


def proved(schemas: Iterable[Any], fitting: int = 4, mutated: int = 6, seed: int = 1) -> Outcome:
    """Hold every schema against what becomes of it, with and without lists of types."""
    random = seeded(seed)
    count = changed = values = accepted = 0
    differences: list[tuple[Any, Any, Any]] = []
    for schema in schemas:
        count += 1
        made = list(_shorter(schema))
        if not made:
            continue
        changed += 1
        judges = _judges(schema)
        if judges is None:
            continue
        others = [judge for one in made for judge in (_judges(one) or ())]
        for value in instances(schema, random, fitting, mutated):
            try:
                said = {judge(value) for judge in judges}
            except RecursionError:
                break  # it leads back to itself without going anywhere, and means nothing
            values += 1
            accepted += said == {True}
            if len(said) == 1 and any(judge(value) not in said for judge in others):
                differences.append((schema, made, value))
    return Outcome(count, changed, values, accepted, differences)


def _shorter(schema: Any) -> Iterator[Any]:
    for type_lists in (True, False):
        try:
            found = lossless(schema, type_lists=type_lists)
        except TooDeep:
            return
        if found != schema:
            yield found


def _judges(schema: Any) -> list[Any] | None:
    """Two validators; where no dialect is named, of the oldest and of the newest that matter."""
    try:
        if isinstance(schema, dict) and "$schema" in schema:
            known = validator_for(schema)
            return [known(schema).is_valid, jsonschema_rs.validator_for(schema).is_valid]
        return [
            jsonschema.Draft202012Validator(schema).is_valid,
            jsonschema_rs.Draft202012Validator(schema).is_valid,
        ]
    except (ValueError, jsonschema_rs.ValidationError):
        return None


def schemas_of(paths: Iterable[Path]) -> Iterator[Any]:
    """The schemas of all tools in these files."""
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                tool = json.loads(line)
                tool = tool.get("tool", tool)
                for key in ("inputSchema", "input_schema", "outputSchema"):
                    if isinstance(tool.get(key), dict):
                        yield tool[key]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = proved(schemas_of(asked.files), seed=asked.seed)
    if asked.json:
        print(json.dumps({**found._asdict(), "differences": len(found.differences)}))
    else:
        print(
            f"{found.schemas} schemas, {found.changed} of them changed; {found.values} values, of "
            f"which {found.accepted} are accepted; {len(found.differences)} differences"
        )
        for original, made, value in found.differences[:3]:
            print(json.dumps({"original": original, "made": made, "value": value}))
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
