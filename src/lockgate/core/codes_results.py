"""The part of the table of errors that is about results which are kept; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import LATER, NO, Entry, finding

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
RESULTS: Final = (
    Entry(370, "reference-gone", "client", -32602, 200, 200, NO,
          "The call refers to a result that is not kept for this caller: it has expired, made room "
          "for later ones, is another's, or never was.",
          "Call the tool that gave it again, and use the id of its new result."),
    Entry(371, "reference-path", "client", -32602, 200, 200, NO,
          "The call refers to a part of a result by a path that leads nowhere in it.",
          "Correct the path; the message says how far it leads and what there is."),
    Entry(372, "reference-size", "client", -32602, 200, 200, NO,
          "The call refers to more results, or larger ones, than one call may carry.",
          "Refer to less, by a path to the part that is needed."),
    Entry(373, "reference-store", "gateway", -32603, 200, 200, LATER,
          "The store that keeps results is away, and the call refers to one.",
          "Try again; the log says what ails the store."),
)
RESULT_FINDINGS: Final = (
    finding(880, "results-unshared", "warning",
            "Other processes and the next start know the sessions, and not the results kept here.",
            "Set `lockgate.store`, and leave `lockgate.results.shared` at true."),
    finding(881, "repeats-unkept", "warning",
            "What changed in a result cannot be told where no result is kept.",
            "Set `results.enabled` there, or `compact.repeats` to suppress."),
)
# fmt: on
