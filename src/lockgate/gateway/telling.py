"""Which refusals are told as the result of a tool, so that models see them.

Must not know: who refused.

Source: specification 2026-07-28, server/tools, "Error Handling": wrong input is a tool execution
error, which models can correct; other errors are the protocol's. So it was in 2025-11-25, and
clients of older revisions know such results as well.
"""

from __future__ import annotations

from typing import Any, Final, cast

from lockgate.core.message import Failure, Reply, Result
from lockgate.core.raw import Raw
from lockgate.policies.arguments import SCHEMA
from lockgate.wire.envelope import failure_data

FOR_MODELS: Final = frozenset(
    {
        "invalid-arguments",
        "argument-refused",
        "arguments-too-large",
        "reference-gone",
        "reference-path",
        "reference-size",
    }
)
META: Final = "io.github.lockgate/error"


def told(failure: Failure) -> Reply:
    """The failure, or the result it is told as."""
    if failure.reason not in FOR_MODELS:
        return failure
    text = f"{failure.message} {failure.remedy or ''}".strip()
    data: Any = failure.data
    if isinstance(data, dict) and SCHEMA in data:
        # Said once, where models read it.
        data = dict(cast("dict[str, Any]", data))
        text += f" Its input schema: {data.pop(SCHEMA)}"
        failure = failure.replace(data=data)
    return Result(
        Raw.of(
            {
                "content": [{"type": "text", "text": text}],
                "isError": True,
                "_meta": {META: failure_data(failure)},
            }
        )
    )
