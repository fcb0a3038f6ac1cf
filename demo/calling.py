"""Call tools through one endpoint with the official client; runs in that client's environment.

Must not know: Lockgate. Reads `{"url", "calls": [{"server", "tool", "arguments"}]}` from standard
input, writes one JSON line per call and era: `{"server", "era", "ok", "text", "ms"}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from mcp import Client

MODES = {"handshake": "legacy", "modern": "2026-07-28"}
LONGEST = 30.0  # seconds for one answer


async def main() -> None:
    """Make every call, one client per era."""
    work = json.load(sys.stdin)
    for era, mode in MODES.items():
        async with Client(work["url"], mode=mode, read_timeout_seconds=LONGEST) as client:
            for call in work["calls"]:
                print(json.dumps(await answer(client, era, call)), flush=True)


async def answer(client: Client, era: str, call: dict[str, Any]) -> dict[str, Any]:
    """Make one call; a failure is an answer too."""
    started = time.perf_counter()
    try:
        result = await client.call_tool(f"{call['server']}__{call['tool']}", call["arguments"])
    except Exception as error:
        ok, text = False, f"{type(error).__name__}: {error}"
    else:
        ok = not result.is_error
        text = " ".join(getattr(block, "text", "") for block in result.content)
    return {
        "server": call["server"],
        "era": era,
        "ok": ok,
        "text": " ".join(text.split()),
        "ms": (time.perf_counter() - started) * 1000,
    }


if __name__ == "__main__":
    asyncio.run(main())
