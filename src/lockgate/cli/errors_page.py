"""`docs/errors.md`, written from the table of errors: `python -m lockgate.cli.errors_page`.

Must not know: anything about an error that is not in that table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from lockgate.core import taxonomy
from lockgate.core.codes import TABLE
from lockgate.core.taxonomy import FAMILIES, FAULTS, Entry

PAGE: Final = Path(taxonomy.PAGE)

_INTRODUCTION: Final = """\
# Errors

<!-- Generated from src/lockgate/core/codes.py by `python -m lockgate.cli.errors_page`.
     Do not edit. -->

Every error of Lockgate's own has a code that never changes its meaning. Clients find it in the
`data` of a JSON-RPC error, beside `reason`, `remedy` and what else belongs to the error; logs and
the table `lockgate up` shows have it as well:

```jsonc
{
  "code": -32603,
  "message": "The server 'tickets' is not available (backoff). The next attempt is in 2.0 s.",
  "data": {
    "code": "LG-601",
    "reason": "server-unavailable",
    "remedy": "Lockgate keeps trying by itself; if it stays so, its log says why.",
    "server": "tickets",
    "state": "backoff",
    "retry_after": 2.0
  }
}
```

`lockgate explain LG-601` says the same as this page; so does `lockgate explain server-unavailable`,
and `lockgate explain` with a whole error on its standard input. What a server itself answers is
passed on word for word and has no code of ours.

`retry_after` is in seconds, and there wherever Lockgate knows it. The two HTTP statuses are those
of an error that is the whole answer; what happens after a stream has begun comes on that stream,
whose status is 200 already.
"""


def page() -> str:
    """The page, as Markdown."""
    blocks = [_INTRODUCTION, "## At fault\n", *_pairs(FAULTS.items())]
    for family, title in FAMILIES.items():
        entries = [entry for entry in TABLE if entry.number // 100 == family]
        blocks += [f"\n## {family}xx: {title}\n", *_overview(entries)]
        for entry in entries:
            blocks += _section(entry)
    return "\n".join(blocks) + "\n"


def _overview(entries: list[Entry]) -> Iterator[str]:
    yield "| code | reason | what happened |\n|---|---|---|"
    for entry in entries:
        yield f"| [{entry.code}](#{entry.code.lower()}) | `{entry.reason}` | {entry.meaning} |"


def _section(entry: Entry) -> Iterator[str]:
    yield f"\n### {entry.code}\n\n`{entry.reason}`: {entry.meaning}\n\n{entry.remedy}\n"
    yield from _pairs(taxonomy.facts(entry))


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for label, text in pairs:
        yield f"- {label}: {text}"


def main() -> None:
    """Write the page, to the path given or to its place in the repository."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
