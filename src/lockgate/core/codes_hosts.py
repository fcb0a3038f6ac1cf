"""The part of the table of errors that is about servers hardened in their own process; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
HOST_COMMANDS: Final = (
    command(980, "host-unknown", "client",
            "What was given to `harden` is no server it knows.",
            "Give it a server of the official SDK, of FastMCP, or an ASGI application."),
    command(981, "host-uncovered", "configuration",
            "A policy that is configured cannot hold for a server in its own process.",
            "Take the setting out, or name it in `elsewhere` if something else sees to it."),
    command(982, "host-unnamed", "configuration",
            "The configuration has servers, and none of them is the one to harden.",
            "Add an entry for it, which may be empty, or say which it is with `name`."),
    command(983, "host-unready", "upstream",
            "The server to harden did not start, or does not answer.",
            "Run it by itself and look; the error has what it said."),
    command(984, "host-started", "client",
            "A hardened server is started once, and this one has been.",
            "Harden a server anew to start it again."),
    command(985, "host-prepared", "environment",
            "This version of an SDK has not what hardening it needs.",
            "Use a version the error names, or harden its ASGI application."),
)
# fmt: on
