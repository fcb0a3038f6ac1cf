"""The part of the table of errors that is about names, params and lists; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.codes_results import RESULTS
from lockgate.core.taxonomy import NO, Entry

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
NAMES: Final = (
    Entry(301, "invalid-params", "client", -32602, 400, (200, 400), NO,
          "The params do not fit the method, or hold a value that cannot be read.",
          "Compare them with the specification of the method; the error says what is wrong."),
    Entry(302, "invalid-cursor", "client", -32602, 400, 200, NO,
          "The cursor is of no list here, or the list has changed since.",
          "Start the list again without a cursor."),
    Entry(303, "unknown-tool", "client", -32602, 400, 200, NO,
          "No tool has this name.",
          "See tools/list; data.unavailable names servers whose tools are away."),
    Entry(304, "unknown-prompt", "client", -32602, 400, 200, NO,
          "No prompt has this name.",
          "See prompts/list; data.unavailable names servers whose prompts are away."),
    Entry(305, "unknown-resource", "client", -32602, 400, 200, NO,
          "No server has a resource with this URI.",
          "See resources/list and resources/templates/list.", None, -32002),
    Entry(306, "name-collision", "configuration", -32602, 400, 200, NO,
          "Two servers claim the same public name, so neither gets it.",
          "Rename one of them in the configuration; the remedy says how."),
    *RESULTS,
)
# fmt: on
