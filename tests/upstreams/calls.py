"""Calls as a front would make them, and an Upstream to send them to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

from lockgate.core.message import Call, ClientFacts, Era, Failure, Notification, Principal, Result
from lockgate.core.raw import Raw
from lockgate.upstreams.pool import HttpPool
from lockgate.upstreams.spec import HttpSpec, UpstreamLimits, UpstreamSpec
from lockgate.upstreams.supervisor import Backoff
from lockgate.upstreams.upstream import Upstream

QUICK = Backoff(first=0.01, limit=0.05, jitter=lambda: 1.0)


def facts(era: str = "modern", caps: dict[str, Any] | None = None, **more: Any) -> ClientFacts:
    return ClientFacts(
        era=cast("Era", era),
        protocol_version="2026-07-28" if era == "modern" else "2025-11-25",
        name="tester",
        info=Raw.of({"name": "tester", "version": "1"}),
        capabilities=Raw.of(caps or {}),
        capabilities_key=str(sorted(caps or {})),
        **more,
    )


def call(
    method: str = "tools/call",
    params: dict[str, Any] | None = None,
    *,
    era: str = "modern",
    caps: dict[str, Any] | None = None,
    log_level: str | None = None,
    who: str = "alice",
    **more: Any,
) -> Call:
    if params is None:
        params = {"name": "echo", "arguments": {"text": "hi"}} if method == "tools/call" else {}
    return Call(
        method=method,
        client=facts(era, caps, log_level=log_level),
        params=Raw.of(params),
        id=1,
        principal=Principal(id=who),
        **more,
    )


def spec(url: str, **more: Any) -> UpstreamSpec:
    headers = more.pop("headers", {})
    limits = UpstreamLimits(**more.pop("limits", {}))
    settings = {"start_timeout": 5.0, "call_timeout": 10.0, **more}
    return UpstreamSpec(
        name="it", transport=HttpSpec(url=url, headers=headers), limits=limits, **settings
    )


@asynccontextmanager
async def upstream(url: str, **more: Any) -> AsyncIterator[Upstream]:
    pool = HttpPool()
    one = Upstream(spec(url, **more), pool=pool, backoff=QUICK)
    try:
        yield one
    finally:
        await one.stop(1.0)
        await pool.close()
        await nothing_left()


async def nothing_left() -> None:
    """No task but this one is left running: nothing leaks."""
    others: list[asyncio.Task[Any]] = []
    for _ in range(3000):
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        others = [task for task in others if "_serve" not in repr(task.get_coro())]
        if not others:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"tasks left: {others}")


class Heard(list[Notification]):
    """Takes notifications; `until` waits for one."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, notification: Notification) -> None:
        self.append(notification)
        self._news.set()

    def methods(self) -> list[str]:
        return [one.method for one in self]

    async def until(self, condition: Callable[["Heard"], object]) -> None:
        while not condition(self):
            self._news.clear()
            await self._news.wait()


def good(reply: Any) -> dict[str, Any]:
    assert isinstance(reply, Result), reply
    return {key: reply.raw[key] for key in reply.raw}


def bad(reply: Any) -> Failure:
    assert isinstance(reply, Failure), reply
    return reply


def run(test: Coroutine[Any, Any, None] | Awaitable[None], seconds: float = 120.0) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(seconds):
            await test

    asyncio.run(bounded())


async def eventually(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for gives no sign of its own
        await asyncio.sleep(0.001)
