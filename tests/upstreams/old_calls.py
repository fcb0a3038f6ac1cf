"""What the tests of handshake-era upstreams call, ask and answer.

Must not know: transports.
"""

from __future__ import annotations

from typing import Any

from lockgate.core.message import Call
from tests.upstreams.calls import call
from tests.upstreams.scripted import Answer, Asked

ELICIT = {"method": "elicitation/create", "params": {"message": "name?", "odd": [1, 2.50]}}
FIRST = {"name": "echo", "arguments": {"text": "hi"}}
DONE = {"content": [{"type": "text", "text": "ok"}]}


def old(**more: Any) -> Call:
    return call(more.pop("method", "tools/call"), era="handshake", **{"affinity": "a", **more})


async def done(asked: Asked, answer: Answer) -> None:
    answer.result(DONE)
