"""A stdio server for tests of launching: it answers every call with its environment and arguments.

`--noise` writes this word to stderr first; `--long` makes its answers longer than any limit.
"""

import json
import os
import sys
from pathlib import Path

if "--noise" in sys.argv:
    print("NOISE-ON-STDERR http://10.9.8.7/internal", file=sys.stderr, flush=True)
if "--die" in sys.argv:
    sys.exit(3)

RESULTS = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "mirror", "version": "1"},
    },
    "tools/list": {"tools": [{"name": "mirror", "inputSchema": {"type": "object"}}]},
}

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] in RESULTS:
        answer["result"] = RESULTS[message["method"]]
    elif message["method"] == "tools/call":
        seen = {"env": dict(os.environ), "argv": sys.argv[1:], "cwd": str(Path.cwd())}
        seen["pid"] = os.getpid()
        if "--long" in sys.argv:
            seen["long"] = "x" * 3_000_000
        answer["result"] = {"content": [], "structuredContent": seen}
    else:
        answer["error"] = {"code": -32601, "message": "Method not found"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
