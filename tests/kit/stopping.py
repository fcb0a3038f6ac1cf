"""A server with a slow tool that ends as `kit.shutdown` ends it: `python -m tests.kit.stopping`.

Must not know: who stops it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from lockgate.kit.health import Health
from lockgate.kit.shutdown import Shutdown
from tests.kit.servers import sdk


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def main(number: int, over: str, grace: float) -> None:
    server: Any = sdk(number, "stopping")
    health = Health()
    shutdown = Shutdown(grace, health=health)
    health.add_to(server)

    @server.tool()
    @shutdown.tracked
    async def slow(seconds: float) -> str:
        say("begun")
        await asyncio.sleep(seconds)
        return "finished"

    @shutdown.at_end
    async def end() -> None:
        say("cleaned up")

    assert slow is not None
    say("up")
    if over == "stdio":
        await shutdown.run(server.run_stdio_async())
    else:
        app = server.streamable_http_app() if number == 0 else server.http_app()
        await shutdown.serve(app, port=int(over), log_level="critical")
    say("over")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
