"""The part of the table of errors that is about endpoints and the listener for operators.

Must not know: how any of them comes about. See `codes`.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import NEVER, NO, Entry, command, finding

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
ENDPOINTS: Final = (
    Entry(490, "admin-refused", "client", NEVER, 401, 401, NO,
          "The listener for operators was asked without its token.",
          "Send Authorization: Bearer with the value of lockgate.admin.token."),
)

ENDPOINT_FINDINGS: Final = (
    finding(870, "endpoint-path", "error",
            "An endpoint has a path that cannot be served.",
            "Begin with /, and use no path that is served already for something else."),
    finding(871, "endpoint-server", "error",
            "An endpoint names a server that does not exist.",
            "Correct the name; the finding suggests the nearest."),
    finding(872, "endpoint-none", "error",
            "Every endpoint is disabled, so that nobody could be served.",
            "Enable one, or take `disabled` from the path of lockgate.path."),
    finding(873, "admin-open", "error",
            "The listener for operators is reachable from other machines, and has no token.",
            "Leave lockgate.admin.host at 127.0.0.1, or set lockgate.admin.token."),
    finding(874, "admin-port", "error",
            "The listener for operators has the port of the gateway itself.",
            "Give lockgate.admin.port another number."),
)

ENDPOINT_COMMANDS: Final = (
    command(935, "endpoint-unknown", "client",
            "The configuration has no endpoint of this path.",
            "The error names those there are; lockgate.endpoints defines them."),
)
# fmt: on
