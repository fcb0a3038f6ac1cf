"""A stdio server that does badly on command: `child_server.py NAME FOLDER`.

Runs as a process of its own and with nothing but the standard library. `FOLDER/mode` says what it
does with every request, `FOLDER/runs` gets a line for each call that reached a tool, and for the
tool `ask` another, `NONCE answered`, for each answer that did.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

NAME, FOLDER = sys.argv[1], Path(sys.argv[2])
RUNS = os.open(FOLDER / "runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
Json = dict[str, Any]
LOCK = threading.Lock()
EMPTY = {"type": "object"}
READS = {"annotations": {"readOnlyHint": True}}
TOOLS = [
    {"name": "act", "inputSchema": EMPTY},
    {"name": "look", "inputSchema": EMPTY, **READS},
    {"name": "kept", "inputSchema": EMPTY, **READS},
    {"name": "ask", "inputSchema": EMPTY},
]
ASKING = {"calm", "slow", "error", "flood", "garbage", "freeze"}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
ASKED: dict[str, Json] = {}


def mode() -> str:
    return (FOLDER / "mode").read_text()


def write(data: bytes) -> None:
    with LOCK:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def say(**message: object) -> None:
    write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def own_error(nonce: str) -> Json:
    return {"code": -32042, "message": "no, on purpose", "data": {"nonce": nonce}}


def answer(message: Json) -> Json:
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        info = {"serverInfo": {"name": NAME, "version": "1"}}
        return {"result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, **info}}
    if method == "tools/list":
        return {"result": {"tools": TOOLS}}
    if method == "ping":
        return {"result": {}}
    if method != "tools/call":
        return {"error": {"code": -32601, "message": "Method not found"}}
    nonce = params.get("arguments", {}).get("nonce")
    if nonce:
        os.write(RUNS, nonce.encode() + b"\n")
    said = {"server": NAME, "tool": params["name"], "nonce": nonce}
    if params["name"] == "kept":
        said["run"] = f"{NAME} {os.getpid()} {message['id']}"
    if mode() == "error":
        return {"error": own_error(nonce)}
    return {"result": {"content": [], "structuredContent": said}}


def ask(request: Json) -> None:
    """Put a question to the client; `answered` goes on."""
    number = f"q{request['id']}"
    ASKED[number] = request
    message = request["params"]["arguments"]["nonce"]
    params = {"message": message, "requestedSchema": SCHEMA}
    say(id=number, method="elicitation/create", params=params)


def answered(message: Json) -> None:
    request = ASKED.pop(message.get("id", ""), None)
    if request is None:
        return
    nonce = request["params"]["arguments"]["nonce"]
    if "error" in message:
        # On one stream it cannot always be told which of several calls a question is of.
        trouble({"id": request["id"], "error": own_error(nonce)})
        return
    os.write(RUNS, f"{nonce} answered\n".encode())
    name = message["result"]["content"]["name"]
    said = {"server": NAME, "tool": "ask", "nonce": nonce, "answer": name}
    trouble({"id": request["id"], "result": {"content": [], "structuredContent": said}})


def trouble(response: Json) -> None:
    now = mode()
    if now in TROUBLES:
        TROUBLES[now](response)
    elif now == "die":
        os._exit(3)
    elif now != "hang":
        say(**response)


def slow(response: Json) -> None:
    threading.Timer(0.15, say, kwargs=response).start()


def freeze(response: Json) -> None:
    while mode() == "freeze":
        time.sleep(0.02)
    say(**response)


def truncate(response: Json) -> None:
    write(json.dumps(response).encode()[:20] + b"\n")


def garbage(response: Json) -> None:
    write(b'Welcome!\n\x00\xff\xfe\n[]\n{}\n[1, 2\n{"jsonrpc": "2.0", "id": 99999999}\n')
    say(id="somebody else's", result={})
    say(**response)


def flood(response: Json) -> None:
    for count in range(100):
        say(method="notifications/message", params={"level": "info", "data": "x" * 100})
        say(method="notifications/progress", params={"progressToken": "x", "progress": count})
    sys.stderr.write("flood\n" * 100)
    sys.stderr.flush()
    say(**response)


def huge(response: Json) -> None:
    write(json.dumps({**response, "padding": "x" * 210_000}).encode() + b"\n")


TROUBLES = {
    "slow": slow,
    "freeze": freeze,
    "truncate": truncate,
    "garbage": garbage,
    "flood": flood,
    "huge": huge,
}

for line in sys.stdin:
    request = json.loads(line)
    if "method" not in request:
        answered(request)
    elif "id" in request:
        body = {"id": request["id"], **answer(request)}
        if request.get("params", {}).get("name") == "ask" and mode() in ASKING:
            ask(request)
        else:
            trouble(body)
