"""The part of the table of errors that is about what servers define; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import NO, Entry, command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
DEFINITIONS: Final = (
    Entry(497, "definition-withheld", "policy", -32000, 403, 200, NO,
          "The definition has a finding that is refused, or its name shadows another one.",
          "Look at it with `lockgate scan`; guard.definitions.allow lets it pass all the same."),
)

DEFINITION_COMMANDS: Final = (
    command(960, "exit-7", "upstream",
            "the scan found something for a person to look at, nothing graver",
            "Read what was found; `--fail-on block` lets it pass."),
    command(961, "exit-8", "upstream",
            "the scan found something that is refused unless told otherwise",
            "Read what was found, and do not use the definition as it is."),
    command(962, "scan-unreadable", "client",
            "What was to be scanned cannot be read.",
            "Name a file of definitions, a configuration or a URL."),
)
# fmt: on
