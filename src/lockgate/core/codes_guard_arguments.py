"""The part of the table of errors that is about schemas and arguments; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import NO, Entry

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
ARGUMENTS: Final = (
    Entry(420, "invalid-arguments", "client", -32602, 200, 200, NO,
          "The arguments do not fit the tool's own input schema. Told as a result of the tool, "
          "with isError, so that models see it.",
          "Correct the arguments it names and call again."),
    Entry(421, "schema-unusable", "upstream", -32603, 200, 200, NO,
          "The tool's schema is no JSON Schema, is written in an unknown dialect, needs another "
          "document, or goes over a bound; so nothing can be checked by it.",
          "Have the server corrected; or set `guard.arguments.unusable: pass` for it."),
)
# fmt: on
