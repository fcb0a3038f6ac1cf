"""A stdio server that writes down what it does, and can hang: `mortal_server.py ERA FOLDER`.

Each call is a line in FOLDER/runs: process id and tool. While FOLDER/hang is there calls are begun
and never end.
"""

import json
import os
import sys
from pathlib import Path

ERA, FOLDER = sys.argv[1], Path(sys.argv[2])
HINTS = {"look": {"readOnlyHint": True}, "set": {"idempotentHint": True}, "pay": {}}
TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}, "annotations": hints}
    for name, hints in HINTS.items()
]
INFO = {"serverInfo": {"name": "mortal", "version": "1"}}
ABLE = {"capabilities": {"tools": {}}}


def answer(method: str, params: dict) -> dict | None:
    """The result; None when the method is not known."""
    if method == "initialize" and ERA == "handshake":
        return {"protocolVersion": "2025-11-25", **ABLE, **INFO}
    if method == "server/discover" and ERA == "modern":
        return {"supportedVersions": ["2026-07-28"], **ABLE}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        with (FOLDER / "runs").open("a") as runs:
            runs.write(f"{os.getpid()} {params['name']}\n")
        if (FOLDER / "hang").exists():
            return {}
        return {"content": [], "structuredContent": {"pid": os.getpid()}}
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    reply = {"jsonrpc": "2.0", "id": message["id"]}
    result = answer(message["method"], message.get("params", {}))
    if result is None:
        reply["error"] = {"code": -32601, "message": "Method not found"}
    elif result or message["method"] != "tools/call":
        reply["result"] = {"resultType": "complete", **result}
    else:
        continue
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()
