"""Every rule, by its id: what the check, the documentation and the tests are made from.

Must not know: how anything is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule
from lockgate.lint.rules.allowances import ALLOWANCES
from lockgate.lint.rules.definitions import DEFINITIONS
from lockgate.lint.rules.errors import ERRORS
from lockgate.lint.rules.growth import GROWTH
from lockgate.lint.rules.inputs import INPUTS
from lockgate.lint.rules.names import NAMES
from lockgate.lint.rules.programs import PROGRAMS
from lockgate.lint.rules.secrets import SECRETS
from lockgate.lint.rules.serving import SERVING
from lockgate.lint.rules.waiting import WAITING

RULES: Final[dict[str, Rule]] = {
    one.id: one
    for one in (
        *WAITING, *ERRORS, *GROWTH, *DEFINITIONS, *NAMES, *INPUTS, *PROGRAMS, *SECRETS, *SERVING,
        *ALLOWANCES,
    )
}  # fmt: skip
BY_RUFF: Final[dict[str, Rule]] = {code: one for one in RULES.values() for code in one.ruff}
"""What a finding of ruff becomes."""
