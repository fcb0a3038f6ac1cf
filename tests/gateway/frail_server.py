"""A stdio server in trouble: `frail_server.py FOLDER`. Its files in FOLDER say what is wrong now.

ill      it says so on stderr, with its environment's TOKEN, and ends with code 7 at once
noisy    it writes to stdout, for ever, what is no message
banner   it greets people on stdout first

`die` ends it, `leak` holds MIB mebibytes for ever and never answers, `fork` starts a process that
holds as much, `open` opens as many files as it can, `who` says who it is, `wait` waits for a file.
"""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1])
HELD: list[Any] = []
NAMES = ("who", "die", "leak", "fork", "open", "wait")
LEAK = "import sys, time; kept = b'x' * (int(sys.argv[1]) << 20); time.sleep(600)"


def say(**message: object) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def wait(number: object, path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.01)
    answer(number, {"pid": os.getpid()})


def answer(number: object, said: object) -> None:
    say(id=number, result={"content": [], "structuredContent": said})


def open_files() -> int:
    files: list[int] = []
    try:
        while True:
            files.append(os.dup(0))
    except OSError:
        for one in files:
            os.close(one)
        return len(files)


def call(number: object, name: str, given: dict[str, Any]) -> None:
    if name == "die":
        print("about to end, token", os.environ.get("TOKEN"), file=sys.stderr, flush=True)
        os._exit(7)
    elif name == "leak":
        HELD.append(b"x" * (given["mib"] << 20))
    elif name == "fork":
        HELD.append(subprocess.Popen([sys.executable, "-S", "-c", LEAK, str(given["mib"])]))
    elif name == "open":
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        answer(number, {"opened": open_files(), "limits": limits})
    elif name == "wait":
        threading.Thread(target=wait, args=(number, given["path"]), daemon=True).start()
    else:
        answer(number, {"pid": os.getpid()})


if (FOLDER / "ill").exists():
    print("no such table: users; token", os.environ.get("TOKEN"), file=sys.stderr, flush=True)
    sys.exit(7)
if (FOLDER / "banner").exists():
    print("Welcome to frail 1.0\n  (c) nobody\n" + "=" * 400 + "\n\nReady.", flush=True)
while (FOLDER / "noisy").exists():
    print("still loading, please wait; token", os.environ.get("TOKEN"), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    method, request, params = message.get("method"), message.get("id"), message.get("params", {})
    if request is None:
        continue
    if method == "initialize":
        info = {"serverInfo": {"name": "frail", "version": "1"}}
        say(
            id=request,
            result={"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, **info},
        )
    elif method == "tools/list":
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]
        say(id=request, result={"tools": tools})
    elif method == "tools/call":
        call(request, params["name"], params.get("arguments", {}))
    else:
        say(id=request, error={"code": -32601, "message": "Method not found"})
