"""The part of the table of errors that is about schemas and arguments; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import IDEMPOTENT, NO, Entry

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
    Entry(422, "result-schema", "upstream", -32603, 200, 200, IDEMPOTENT,
          "What the tool answered does not fit its own output schema. The call was made.",
          "Have the server corrected; `guard.outputs.mode: warn` lets such results through."),
    Entry(423, "argument-refused", "policy", -32602, 200, 200, NO,
          "An argument is a path or a URL that leads where it may not. Told as a result of the "
          "tool, with isError, so that models see it.",
          "Call with another path or URL; rules are in `guard.arguments.rules` and `urls`."),
)
# fmt: on
