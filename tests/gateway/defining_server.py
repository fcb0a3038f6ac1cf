"""A stdio server that defines what a file says: `defining_server.py FILE`.

FILE holds an object with any of `tools`, `prompts`, `resources`, `resourceTemplates` and
`instructions`. The tool `change` reads the file anew and says that lists have changed; every other
tool answers with its name.
"""

import json
import sys
from pathlib import Path

FILE = Path(sys.argv[1])
LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
said = json.loads(FILE.read_text("utf-8"))


def say(**message: object) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def listed(member: str) -> list[object]:
    change = [{"name": "change", "inputSchema": {"type": "object"}}]
    return said.get(member, []) + (change if member == "tools" else [])


for line in sys.stdin:
    message = json.loads(line)
    method, number, params = message.get("method"), message.get("id"), message.get("params", {})
    if number is None:
        continue
    if method == "initialize":
        changing = {"listChanged": True}
        capabilities = {"tools": changing, "prompts": changing, "resources": changing}
        result = {
            "protocolVersion": "2025-11-25",
            "serverInfo": {"name": "defining", "version": "1"},
            "capabilities": capabilities,
        }
        if "instructions" in said:
            result["instructions"] = said["instructions"]
        say(id=number, result=result)
    elif method in LISTS:
        say(id=number, result={LISTS[method]: listed(LISTS[method])})
    elif method == "tools/call":
        if params["name"] == "change":
            said = json.loads(FILE.read_text("utf-8"))
            say(method="notifications/tools/list_changed")
        say(id=number, result={"content": [{"type": "text", "text": params["name"]}]})
    else:
        say(id=number, error={"code": -32601, "message": "Method not found"})
