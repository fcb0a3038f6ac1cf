"""A stdio server of the handshake era for tests of leaks: it holds calls until they are called off.

`talk` reports progress and answers never; `count` says how many calls are held, `echo` answers.
"""

import json
import sys

held: set[object] = set()
RESULTS = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "holder", "version": "1"},
    },
    "tools/list": {
        "tools": [
            {"name": name, "inputSchema": {"type": "object"}} for name in ("talk", "count", "echo")
        ]
    },
}


def say(**message: object) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


for line in sys.stdin:
    message = json.loads(line)
    method, number, params = message.get("method"), message.get("id"), message.get("params", {})
    if method == "notifications/cancelled":
        held.discard(params["requestId"])
    elif number is None or method is None:
        continue
    elif method in RESULTS:
        say(id=number, result=RESULTS[method])
    elif method == "tools/call" and params["name"] == "talk":
        held.add(number)
        token = params.get("_meta", {}).get("progressToken")
        if token is not None:
            progress = {"progressToken": token, "progress": 1}
            say(method="notifications/progress", params=progress)
    elif method == "tools/call":
        say(id=number, result={"content": [], "structuredContent": {"held": len(held)}})
    else:
        say(id=number, error={"code": -32601, "message": "Method not found"})
