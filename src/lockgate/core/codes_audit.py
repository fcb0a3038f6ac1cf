"""The part of the table of errors that is about the audit log; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import NO, Entry, command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
AUDIT: Final = (
    Entry(510, "audit-unwritable", "gateway", -32603, 200, 200, NO,
          "The audit log cannot be written, and without it no call is let through.",
          "Make room on the disk, or correct what may be written there; then restart."),
)
AUDIT_COMMANDS: Final = (
    command(945, "audit-broken", "environment",
            "The audit log is not as it was written: lines were changed, taken out or cut off.",
            "Find out who could write it; compare it with what was shipped elsewhere."),
    command(946, "audit-unusable", "environment",
            "The audit log, or the key that seals it, cannot be used.",
            "Correct the path or its permissions; `lockgate audit verify` says what is damaged."),
)
# fmt: on
