"""The part of the table of errors that is about finding tools; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
SEARCH_COMMANDS: Final = (
    command(976, "semantic-unusable", "environment",
            "Tools are to be found by what is meant, and the packages for it are not installed.",
            "Install lockgate[semantic], or set lockgate.search.semantic to auto or off."),
)
# fmt: on
