"""A stdio server of the handshake era that lists what a file holds at that moment.

`python turning_server.py LISTS`: a JSON object of lists by member, as `{"tools": [...]}`. After a
call of the tool `turn` it says that its tools have changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(message: dict[str, Any]) -> dict[str, Any]:
    method = message["method"]
    if method == "initialize":
        return {
            "result": {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {"listChanged": True}, "prompts": {}, "resources": {}},
                "serverInfo": {"name": "turning", "version": "1"},
            }
        }
    if method in LISTS:
        every = json.loads(Path(sys.argv[1]).read_text())
        return {"result": {LISTS[method]: every.get(LISTS[method], [])}}
    if method == "tools/call":
        return {"result": {"content": [{"type": "text", "text": message["params"]["name"]}]}}
    return {"error": {"code": -32601, "message": "Method not found"}}


for line in sys.stdin:
    received = json.loads(line)
    if "id" in received and "method" in received:
        send({"id": received["id"], **answer(received)})
        if received.get("params", {}).get("name") == "turn":
            send({"method": "notifications/tools/list_changed"})
