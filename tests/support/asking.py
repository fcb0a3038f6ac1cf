"""Asks a chain from outside an event loop.

Must not know: policies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from lockgate.core.message import Reply


def asked(reply: Awaitable[Reply]) -> Reply:
    """What a call is answered, in an event loop of its own."""

    async def wait() -> Reply:
        return await reply

    return asyncio.run(wait())
