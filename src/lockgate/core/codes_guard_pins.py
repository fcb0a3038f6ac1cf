"""The part of the table of errors that is about what was approved of servers; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import NO, Entry, command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
PINS: Final = (
    Entry(491, "pin-new", "policy", -32000, 403, 200, NO,
          "Nobody has approved this tool, prompt or template of the server.",
          "Look at it with `lockgate approve SERVER/NAME`, and say yes or no."),
    Entry(492, "pin-changed", "policy", -32000, 403, 200, NO,
          "Its definition is another one than was approved; data.changed says which parts.",
          "Look at the difference with `lockgate approve SERVER/NAME`, and say yes or no."),
    Entry(493, "pin-denied", "policy", -32000, 403, 200, NO,
          "A person has looked at it and said no.",
          "Do without it; `lockgate approve SERVER/NAME` takes the no back."),
    Entry(494, "pin-server", "policy", -32000, 403, 200, NO,
          "The server is not the one that was approved under this name, or none was.",
          "Look at it with `lockgate approve SERVER`, and say yes or no."),
    Entry(495, "pin-unread", "policy", -32000, 403, 200, NO,
          "What the server lists is not known now, so it cannot be held against what was approved.",
          "Call again when the server can be read; its state says why it cannot."),
    Entry(496, "pin-unreadable", "policy", -32000, 403, 200, NO,
          "The definition is malformed, or readers do not agree on what it says.",
          "Report it to the authors of the server; it cannot be approved."),
)

PIN_COMMANDS: Final = (
    command(950, "pins-unusable", "configuration",
            "The lock file cannot be used: cut off, changed by hand, or of a later form.",
            "Restore it from version control, or make it anew with `lockgate lock` and review it."),
    command(951, "pins-unwritable", "environment",
            "The lock file cannot be written.",
            "Check the folder; `lockgate.pins_file` names another place."),
    command(952, "pins-drift", "upstream",
            "What the servers define is not what the lock file says.",
            "Look at it with `lockgate approve`, or record it with `lockgate lock --update`."),
    command(953, "nothing-to-approve", "client",
            "Nothing of this name waits for approval.",
            "`lockgate lock --check` says what is different from what was approved."),
)
# fmt: on
