"""What is looked for in the tree of a file: a module per group of rules.

Must not know: what ruff finds, or how problems are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lockgate.lint.checks import (
    definitions,
    errors,
    growth,
    inputs,
    secrets,
    serving,
    shadowing,
    stdout,
    stores,
    waiting,
)
from lockgate.lint.found import Found
from lockgate.lint.project import File

CHECKS: Final[tuple[Callable[[File], Iterator[Found]], ...]] = (
    waiting.check,
    errors.check,
    growth.check,
    stores.check,
    definitions.check,
    shadowing.check,
    inputs.check,
    secrets.check,
    stdout.check,
    serving.check,
)
