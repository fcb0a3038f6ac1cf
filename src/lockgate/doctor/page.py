"""The tables in `docs/guide/troubleshooting.md`: `python -m lockgate.doctor.page`.

Must not know: the rest of that page, which is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lockgate.doctor.kinds import KINDS
from lockgate.doctor.steps import STEPS

PAGE: Final = Path("docs/guide/troubleshooting.md")
_TABLES: Final = ("steps", "findings")
_ANY: Final = "any"


def filled(page: str) -> str:
    """The page with its tables as they have to be."""
    for name in _TABLES:
        made = "\n".join(_steps() if name == "steps" else _findings())
        pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page = pattern.sub(lambda found, made=made: f"{found[1]}\n{made}\n\n{found[2]}", page)
    return page


def _steps() -> Iterator[str]:
    yield "| Step | Over | What it looks at |"
    yield "|---|---|---|"
    for step in STEPS:
        yield f"| `{step.id}` | {', '.join(step.over)} | {_cell(step.looks)} |"


def _findings() -> Iterator[str]:
    for step in (*(one.id for one in STEPS), _ANY):
        kinds = [one for one in KINDS.values() if one.step == step]
        if not kinds:
            continue
        yield f"### {'Any step' if step == _ANY else f'Step {step}'}\n"
        yield "| Finding | | What it means | Cause | Remedy |"
        yield "|---|---|---|---|---|"
        for one in kinds:
            cells = (f"`{one.id}`", one.severity, one.means, one.cause, one.remedy)
            yield f"| {' | '.join(map(_cell, cells))} |"
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Fill the page in the working directory."""
    PAGE.write_text(filled(PAGE.read_text("utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
