"""The part of the table of errors that is about who may use what; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import LATER, NO, Entry, finding

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
ACCESS: Final = (
    Entry(450, "access-denied", "policy", -32000, 403, 200, NO,
          "The rules of access do not let this caller make this call.",
          "Ask whoever runs the gateway; `lockgate access explain` shows the rule that decided."),
    Entry(451, "insufficient-scope", "policy", -32000, 403, (200, 403), NO,
          "The caller may make this call, with scopes it lacks; data.scopes has them all.",
          "Authorize again for these scopes beside those already granted."),
    Entry(452, "approval-required", "policy", -32000, 403, 200, NO,
          "A person has to say yes to this call, and the client cannot ask one.",
          "Call from a client that can ask its user: one with form elicitation."),
    Entry(453, "approval-refused", "policy", -32000, 403, 200, NO,
          "A person was asked about this call, and did not say yes.",
          "Do without it, or ask the person what should be different."),
    Entry(454, "flow-denied", "policy", -32000, 403, 200, NO,
          "What this caller has read must not flow to what it calls now; data.flow has the rule.",
          "Make the call in a session that has not read such things."),
    Entry(459, "approval-unavailable", "gateway", -32603, 200, 200, LATER,
          "A person has answered, and the store that knows which answers were used is away.",
          "Try again with the same answer; the log says what ails the store."),
)

ACCESS_FINDINGS: Final = (
    finding(850, "access-name", "error",
            "A rule of access names a server or an endpoint that does not exist, or is named as "
            "another.",
            "Correct the name; the finding suggests the nearest."),
    finding(851, "access-impossible", "error",
            "A rule of access has a pattern that nothing can match.",
            "Write SERVER/NAME with the server's own name for it, or SERVER/URI for resources."),
    finding(852, "access-nothing", "warning",
            "There are rules of access, and none of them allows anything.",
            "Add an `allow`: once there is a rule, nothing is allowed but by one."),
    finding(853, "access-nobody", "warning",
            "A rule of access is about certain callers or scopes, and nobody is authenticated.",
            "Set `lockgate.auth`, or leave `who` and `scopes` out."),
)
# fmt: on
