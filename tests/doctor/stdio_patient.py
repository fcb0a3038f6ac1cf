"""A small server of both eras over stdio that does all right, or one thing wrong: the argument.

Needs nothing but the standard library, so that it starts in a moment.
"""

import json
import signal
import sys
import time

WRONG = sys.argv[1] if len(sys.argv) > 1 else ""
MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"
INFO = {"name": "stdio patient", "version": "1"}
CAPABILITIES = {"tools": {"listChanged": True}, "resources": {}}
NOW = {
    "name": "now",
    "description": "The time.",
    "inputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": True},
}
LISTS = {
    "tools/list": {"tools": [NOW]},
    "resources/list": {"resources": [{"uri": "test://one", "name": "one"}]},
    "resources/templates/list": {"resourceTemplates": []},
}
DRESS = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def write(message: object) -> None:
    text = json.dumps(message)
    if WRONG == "stdout-framing":
        text = f"Content-Length: {len(text)}\r\n\r\n{text}"
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def called(name: str) -> dict:
    if name != "now":
        return {"error": {"code": -32602, "message": "no such tool"}}
    if WRONG == "exit-early":
        sys.stderr.write("divided by zero\n")
        sys.exit(3)
    return {"result": {"content": [{"type": "text", "text": "1"}], "resultType": "complete"}}


def checked(asked: dict, modern: bool) -> dict:
    version = asked.get("params", {}).get("_meta", {}).get(META + "protocolVersion")
    if modern and version != MODERN:
        data = {"supported": [MODERN, "2025-11-25"], "requested": version}
        return {"error": {"code": -32022, "message": "unknown version", "data": data}}
    return answer(asked, modern)


def answer(asked: dict, modern: bool) -> dict:
    method, params = asked["method"], asked.get("params", {})
    if method == "initialize":
        if WRONG == "initialize-refused":
            return {"error": {"code": -32602, "message": "bad params"}}
        told = {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "serverInfo": INFO}
        return {"result": told}
    if method == "server/discover" and modern:
        known = {"supportedVersions": [MODERN, "2025-11-25"], "capabilities": CAPABILITIES}
        return {"result": {**known, **DRESS, "_meta": {META + "serverInfo": INFO}}}
    if method in LISTS:
        return {"result": {**LISTS[method], **(DRESS if modern else {})}}
    if method == "tools/call":
        if params["name"] == "now":
            if WRONG == "exit-early":
                sys.stderr.write("divided by zero\n")
                sys.exit(3)
            return {
                "result": {"content": [{"type": "text", "text": "1"}], "resultType": "complete"}
            }
        return {"error": {"code": -32602, "message": "no such tool"}}
    if method == "resources/read":
        return {"error": {"code": -32602 if modern else -32002, "message": "no such resource"}}
    if method == "ping" and not modern:
        return {"result": {}}
    return {"error": {"code": -32601, "message": "no such method"}}


def served(asked: dict) -> None:
    if "id" not in asked:
        return
    if WRONG == "start-fragile" and asked["method"] == "server/discover":
        sys.exit(1)
    modern = META + "protocolVersion" in asked.get("params", {}).get("_meta", {})
    if modern and WRONG in ("old", "initialize-refused"):
        write({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "no"}})
        return
    if asked["method"] == "subscriptions/listen" and modern:
        params = {"notifications": {}, "_meta": {META + "subscriptionId": asked["id"]}}
        method = "notifications/subscriptions/acknowledged"
        if WRONG != "listen-silent":
            write({"jsonrpc": "2.0", "method": method, "params": params})
        return
    if WRONG == "stdout-noise":
        print("handling", asked["method"], flush=True)
    number = "other" if WRONG == "error-id" and "no_such" in asked["method"] else asked["id"]
    write({"jsonrpc": "2.0", "id": number, **checked(asked, modern)})


def start() -> None:
    """What goes wrong before anything is read."""
    fatal = {
        "start-ended": "Fatal: the stars are wrong",
        "start-module": "ModuleNotFoundError: No module named 'acme'",
        "start-python": "ERROR: Package 'acme' requires a different Python: 3.9.1 not in '>=3.10'",
        "start-port": "OSError: [Errno 98] Address already in use",
        "start-permission": "PermissionError: [Errno 13] Permission denied: '/srv/data'",
        "start-package": "npm error code E404",
        "start-environment": "KeyError: 'ACME_TOKEN'",
    }
    if WRONG in fatal:
        sys.stderr.write(fatal[WRONG] + "\n")
        sys.exit(1)
    if WRONG == "start-http":
        sys.stderr.write("INFO: Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)\n")
        sys.stderr.flush()
    if WRONG in ("start-http", "start-silent"):
        sys.stdin.read()
        sys.exit(0)


def main() -> None:
    start()
    if WRONG == "exit-killed":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        try:
            served(json.loads(line))
        except ValueError:
            continue
    while WRONG in ("exit-stays", "exit-killed"):
        time.sleep(10)
    sys.exit(4 if WRONG == "exit-code" else 0)


main()
