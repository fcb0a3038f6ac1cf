"""A stdio server in the handshake era on the standard library alone, so that it starts at once.

`python tiny_server.py [NOTE]`: what it is told by environment and signals is written to NOTE.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

NUMBER = {"type": "integer"}
TOOLS = [
    {
        "name": "add",
        "description": "Adds.\nTwo numbers.",
        "inputSchema": {
            "type": "object",
            "properties": {"a": NUMBER, "b": NUMBER},
            "required": ["a"],
        },
    },
    {"name": "fail", "inputSchema": {"type": "object"}},
    {"name": "rows", "inputSchema": {"type": "object"}},
    {"name": "slow", "inputSchema": {"type": "object"}},
    {"name": "colour", "inputSchema": {"type": "object"}},
]


def call(name: str, arguments: dict[str, Any], token: object) -> dict[str, Any]:
    if name == "add":
        return text(str(arguments["a"] + arguments.get("b", 0)))
    if name == "fail":
        return {**text("it did not work"), "isError": True}
    if name == "rows":
        rows = [{"name": "x", "size": 1}, {"name": "y", "size": 2}]
        return {**text(json.dumps({"rows": rows})), "structuredContent": {"rows": rows}}
    if name == "colour":
        return text("\x1b[31mred\x1b[0m [bold]not markup[/bold]")
    for step in range(3):
        params = {"progressToken": token, "progress": step, "total": 3, "message": f"step {step}"}
        send({"method": "notifications/progress", "params": params})
        time.sleep(0.4)
    return text("done")


def text(said: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": said}]}


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "tiny", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        token = params.get("_meta", {}).get("progressToken")
        return call(params["name"], params.get("arguments", {}), token)
    return {} if method == "ping" else None


def main() -> None:
    print("tiny server runs, key", os.environ.get("API_KEY", "none"), file=sys.stderr)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        result = answer(message["method"], message.get("params", {}))
        if result is None:
            error = {"code": -32601, "message": "Method not found"}
            send({"id": message["id"], "error": error})
        else:
            send({"id": message["id"], "result": result})


if __name__ == "__main__":
    main()
