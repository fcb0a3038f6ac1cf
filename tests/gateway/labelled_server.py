"""A stdio server of the handshake era that says who it is: `labelled_server.py LABEL [TOOL]`.

`who` answers with its label and process id; `wait` does when the file it is given is there.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

LABEL = sys.argv[1]
NAMES = ["who", "wait", *sys.argv[2:]]
LOCK = threading.Lock()


def say(**message: object) -> None:
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def wait(number: object, path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.01)
    answer(number)


def answer(number: object) -> None:
    who = {"label": LABEL, "pid": os.getpid()}
    say(id=number, result={"content": [], "structuredContent": who})


for line in sys.stdin:
    message = json.loads(line)
    method, number, params = message.get("method"), message.get("id"), message.get("params", {})
    if number is None:
        continue
    if method == "initialize":
        info = {"serverInfo": {"name": "labelled", "version": "1"}}
        capabilities = {"capabilities": {"tools": {"listChanged": True}}}
        say(id=number, result={"protocolVersion": "2025-11-25", **capabilities, **info})
    elif method == "tools/list":
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]
        say(id=number, result={"tools": tools})
    elif method == "tools/call" and params["name"] == "wait":
        path = params["arguments"]["path"]
        threading.Thread(target=wait, args=(number, path), daemon=True).start()
    elif method == "tools/call":
        answer(number)
    else:
        say(id=number, error={"code": -32601, "message": "Method not found"})
