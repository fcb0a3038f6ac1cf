"""A stdio server for tests; its arguments say what it does. Runs as a process of its own.

modern | old | dual      what it speaks
silent                   old, and says nothing to requests before it is initialized
slow                     modern, and answers the first request late
strict                   old, and ends at whatever comes before `initialize`
chatty                   greets people on stdout and never answers
mute                     ends at once with code 3
"""

import json
import os
import sys
import time
from typing import Any

MODE = sys.argv[1]
VERSION = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
state: dict[str, Any] = {"initialized": False, "asked": None, "cancelled": [], "answers": []}


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def note(method: str, **params: Any) -> None:
    say(method=method, params=params)


def serve(message: dict[str, Any]) -> None:
    method, request_id = message.get("method"), message.get("id")
    params = message.get("params", {})
    if method is None:
        state["answers"].append(message)
        if state["asked"] is not None:
            waiting, state["asked"] = state["asked"], None
            say(id=waiting, result={"got": message.get("result"), "error": message.get("error")})
    elif method == "notifications/cancelled":
        state["cancelled"].append(params["requestId"])
    elif request_id is None:
        pass
    elif method == "initialize":
        initialize(request_id)
    elif VERSION in params.get("_meta", {}):
        new(method, request_id, params)
    elif state["initialized"]:
        tool(method, request_id, params)


def new(method: str, request_id: Any, params: dict[str, Any]) -> None:
    """A request of the stateless era."""
    if MODE == "strict":
        sys.exit(1)
    elif MODE == "old":
        say(id=request_id, error={"code": -32602, "message": "what?"})
    elif MODE != "silent":
        tool(method, request_id, params)


def initialize(request_id: Any) -> None:
    if MODE in {"modern", "slow"}:
        say(id=request_id, error={"code": -32601, "message": "Method not found"})
        return
    state["initialized"] = True
    capabilities = {"tools": {"listChanged": True}, "logging": {}}
    say(
        id=request_id,
        result={
            "protocolVersion": "2025-06-18",
            "capabilities": capabilities,
            "serverInfo": {"name": MODE, "version": "1"},
        },
    )


def huge(request_id: Any) -> None:
    say(id=request_id, result={"content": "x" * 5000})


def huge_late_id(request_id: Any) -> None:
    line = {"result": {"content": "x" * 5000}, "jsonrpc": "2.0", "id": request_id}
    print(json.dumps(line), flush=True)


def huge_note(request_id: Any) -> None:
    note("notifications/message", level="info", data="x" * 5000)
    say(id=request_id, result={"ok": True})


def flood(_request_id: Any) -> None:
    while True:
        sys.stdout.write("still busy\n" * 1000)


def chat(request_id: Any) -> None:
    for _ in range(3):
        sys.stdout.write("a print that was left in\n" * 6000)
        note("notifications/message", level="info", data="x")
    say(id=request_id, result={"ok": True})


HUGE = {
    "huge": huge,
    "huge-late-id": huge_late_id,
    "huge-note": huge_note,
    "flood": flood,
    "chat": chat,
}


def tool(method: str, request_id: Any, params: dict[str, Any]) -> None:
    if method == "server/discover":
        if MODE == "slow":
            time.sleep(0.3)
        say(id=request_id, result={"supportedVersions": ["2026-07-28"], "capabilities": {}})
        return
    if method == "subscriptions/listen":
        meta = {SUBSCRIPTION: request_id}
        wanted = params["notifications"]
        note("notifications/subscriptions/acknowledged", notifications=wanted, _meta=meta)
        note("notifications/tools/list_changed", _meta=meta)
        return
    name = params.get("name")
    if name == "die":
        os._exit(3)
    elif name == "hang":
        return
    elif name in HUGE:
        HUGE[name](request_id)
    elif name == "ask":
        state["asked"] = request_id
        say(id="q1", method="elicitation/create", params={"message": "?"})
    elif name == "noise":
        sys.stdout.write("not json\n\n[]\n")
        note("notifications/progress", progressToken=params["_meta"]["progressToken"], progress=1)
        note("notifications/message", level="info", data="x")
        note("notifications/tools/list_changed")
        say(id=request_id, result={"ok": True})
    else:
        say(
            id=request_id,
            result={"pid": os.getpid(), "cancelled": state["cancelled"], "params": params},
        )


if MODE == "mute":
    sys.exit(3)
if MODE == "chatty":
    print("Welcome!", flush=True)
for line in sys.stdin:
    if MODE != "chatty":
        serve(json.loads(line))
