"""The part of the table of errors that is about the sandboxes of stdio servers; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import finding, start

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
SANDBOX_STARTS: Final = (
    start(740, "sandbox-unenforceable", "environment",
          "This machine cannot hold the server to its sandbox, so it was not started.",
          "`lockgate check` says what is missing; or set `unenforced: allow` in its sandbox."),
    start(741, "sandbox-failed", "configuration",
          "The server's sandbox could not be set up, so it was not started.",
          "The error says which part; check what its sandbox names, and `lockgate check`."),
    start(742, "package-unpinned", "configuration",
          "The server's command runs whatever version of a package is newest, and its sandbox "
          "wants versions pinned.",
          "Name an exact version or digest, or set `packages: any` in its sandbox."),
)

SANDBOX_FINDINGS: Final = (
    finding(845, "sandbox-wide", "warning",
            "A sandbox lets the server have a whole home folder, all files, or other programs' "
            "sockets.",
            "Name the folders it needs; leave `unix_sockets` off."),
    finding(846, "sandbox-unenforced", "warning",
            "This machine cannot enforce a server's sandbox, or not all of it.",
            "`lockgate check` says what is missing."),
)
# fmt: on
