"""What FastMCP gets wrong or lacks, seen in a server as it is, and put right in a hardened one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp_types
import pytest
from fastmcp import Context, FastMCP
from fastmcp.server.middleware import Middleware
from fastmcp.server.middleware.caching import CallToolSettings, ResponseCachingMiddleware
from fastmcp.server.middleware.error_handling import ErrorHandlingMiddleware, RetryMiddleware
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ToolAnnotations

import lockgate
from tests.hosts.serving import ERAS, Serving, call, client, headers, said, served

READS = ToolAnnotations(read_only_hint=True)
REPEATS = ToolAnnotations(idempotent_hint=True)


class Shop:
    """A FastMCP server that notes what happens to it."""

    def __init__(self, **options: Any) -> None:
        self.server = server = FastMCP("shop", **options)
        self.ran: list[str] = []
        self.fails = 0

        @server.tool
        def pay(amount: int) -> str:
            """Pay."""
            self.ran.append("pay")
            return f"paid {amount}, receipt {len(self.ran)}"

        @server.tool(annotations=READS)
        def price(item: str) -> str:
            """Look a price up."""
            self.ran.append("price")
            return f"{item}: {len(self.ran)}"

        @server.tool
        def order(item: str) -> str:
            """Order; fails with a lost connection the first times."""
            self.ran.append("order")
            return self._try(item)

        @server.tool(annotations=REPEATS)
        def reserve(item: str) -> str:
            """Reserve; the same."""
            self.ran.append("reserve")
            return self._try(item)

        @server.tool
        def refuse(why: str) -> str:
            """Raise."""
            raise ValueError(why)

        @server.tool
        async def open_counter(ctx: Context) -> str:
            """Say that tools have changed."""
            await ctx.send_notification(mcp_types.ToolListChangedNotification())
            return "open"

        self._made = (pay, price, order, reserve, refuse, open_counter)

    def _try(self, item: str) -> str:
        if self.fails > 0:
            self.fails -= 1
            raise ConnectionError("the line went dead")
        return f"have {item}"


def as_it_is(shop: Shop) -> Any:
    return shop.server.http_app()


def hardened(shop: Shop) -> Any:
    # Retries of the gateway's own would hide what those of the server do.
    entry = {"retry": {"attempts": 1}, "cache": {"enabled": False}}
    return lockgate.harden(shop.server, {"servers": {"shop": entry}})


@asynccontextmanager
async def posting(serving: Serving) -> AsyncGenerator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http:
        yield http


async def names(one: Client) -> set[str]:
    """What is listed now, whatever the client has kept."""
    return {tool.name for tool in (await one.list_tools(cache_mode="bypass")).tools}


class Noting(Middleware):
    """Notes every message a server's own middleware gets to see."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def on_message(self, context: Any, call_next: Any) -> Any:
        self.seen.append(context.method)
        return await call_next(context)


@pytest.mark.parametrize(
    ("around", "seen"),
    [(as_it_is, ["tools/list", "tools/call"] * 2), (hardened, ["tools/call"] * 2)],
)
def test_calls_bring_no_lists_with_them(around: Any, seen: list[str]) -> None:
    async def run() -> None:
        shop = Shop(middleware=[noting := Noting()])
        async with served(around(shop)) as serving, posting(serving) as http:
            noting.seen.clear()
            for _ in range(2):
                answer = await http.post(
                    "/mcp", json=call("pay", {"amount": 1}), headers=headers("pay")
                )
                assert "paid 1" in answer.text
            assert [one for one in noting.seen if one in ("tools/list", "tools/call")] == seen

    asyncio.run(run())


def test_a_server_as_it_is_serves_no_listen_stream() -> None:
    async def run() -> None:
        async with served(as_it_is(Shop())) as serving, client(serving, ERAS[1]) as one:
            with pytest.raises(MCPError) as refused:
                async with one.listen(tools_list_changed=True):
                    pass
            assert refused.value.error.code == -32601

    asyncio.run(run())


def test_a_hardened_one_tells_who_listens_of_tools_that_come_and_go() -> None:
    async def run() -> None:
        shop = Shop()

        def discount() -> str:
            """Count."""
            return "10 %"

        async with (
            served(hardened(shop)) as serving,
            client(serving, ERAS[1]) as one,
            one.listen(tools_list_changed=True) as news,
        ):
            shop.server.tool(discount)
            await asyncio.wait_for(anext(aiter(news)), 60)
            assert "discount" in await names(one)
            shop.server.local_provider.remove_tool("discount")
            await asyncio.wait_for(anext(aiter(news)), 60)
            # From a thread, as tools that are no coroutines run.
            await asyncio.to_thread(shop.server.disable, names={"pay"})
            await asyncio.wait_for(anext(aiter(news)), 60)
            assert not {"pay", "discount"} & await names(one)

    asyncio.run(run())


class Ear:
    """Hears what a client of the handshake era is told unasked."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def __call__(self, message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self.told.set()


def test_what_a_tool_says_of_changes_reaches_listeners_of_both_eras() -> None:
    async def run() -> None:
        caller, other = Ear(), Ear()
        async with (
            served(hardened(Shop())) as serving,
            client(serving, ERAS[1]) as modern,
            client(serving, ERAS[0], message_handler=caller) as old,
            client(serving, ERAS[0], message_handler=other),
            modern.listen(tools_list_changed=True) as news,
        ):
            assert said(await old.call_tool("open_counter", {})) == "open"
            await asyncio.wait_for(anext(aiter(news)), 60)
            await asyncio.wait_for(caller.told.wait(), 60)
            # What those of the stateless era hear of may have changed for everybody.
            await asyncio.wait_for(other.told.wait(), 60)
            caller.told.clear()
            other.told.clear()
            assert said(await modern.call_tool("open_counter", {})) == "open"
            await asyncio.wait_for(anext(aiter(news)), 60)
            await asyncio.wait_for(caller.told.wait(), 60)
            await asyncio.wait_for(other.told.wait(), 60)

    asyncio.run(run())


@pytest.mark.parametrize(("around", "status"), [(as_it_is, [200, 200]), (hardened, [421, 403])])
def test_strangers_names_for_this_machine_and_pages_of_strangers(
    around: Any, status: list[int]
) -> None:
    async def run() -> None:
        async with served(around(Shop())) as serving, posting(serving) as http:
            answers = [
                await http.post("/mcp", json=call("pay", {"amount": 1}), headers=asked)
                for asked in (
                    headers("pay", host="evil.example"),
                    headers("pay", origin="https://evil.example"),
                )
            ]
            assert [one.status_code for one in answers] == status

    asyncio.run(run())


@pytest.mark.parametrize(
    ("around", "paid", "era"),
    [(as_it_is, 1, ERAS[1]), (hardened, 2, ERAS[1]), (hardened, 2, ERAS[0])],
)
def test_what_is_paid_twice_is_paid_twice(around: Any, paid: int, era: str) -> None:
    async def run() -> None:
        shop = Shop(middleware=[ResponseCachingMiddleware()])
        async with served(around(shop)) as serving, client(serving, era) as one:
            for _ in range(2):
                await one.call_tool("pay", {"amount": 5})
                await one.call_tool("price", {"item": "tea"})
            assert shop.ran.count("pay") == paid
            # What only reads may be kept, in either.
            assert shop.ran.count("price") == 1

    asyncio.run(run())


@pytest.mark.parametrize(("around", "seen"), [(as_it_is, False), (hardened, True)])
def test_lists_are_kept_until_they_change(around: Any, seen: bool) -> None:
    async def run() -> None:
        shop = Shop(middleware=[ResponseCachingMiddleware()])
        async with served(around(shop)) as serving, client(serving, ERAS[1]) as one:
            await names(one)
            if not seen:
                shop.server.tool(lambda: "x", name="later")
            else:
                async with one.listen(tools_list_changed=True) as news:
                    shop.server.tool(lambda: "x", name="later")
                    await asyncio.wait_for(anext(aiter(news)), 60)
            assert ("later" in await names(one)) is seen

    asyncio.run(run())


def test_tools_that_are_named_for_the_cache_are_cached() -> None:
    async def run() -> None:
        named = CallToolSettings(included_tools=["pay"])
        shop = Shop(middleware=[ResponseCachingMiddleware(call_tool_settings=named)])
        async with served(hardened(shop)) as serving, client(serving, ERAS[1]) as one:
            for _ in range(2):
                await one.call_tool("pay", {"amount": 5})
            assert shop.ran == ["pay"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("around", "orders", "era"),
    [(as_it_is, 3, ERAS[0]), (hardened, 1, ERAS[0]), (hardened, 1, ERAS[1])],
)
def test_what_changes_something_is_not_run_again(around: Any, orders: int, era: str) -> None:
    async def run() -> None:
        shop = Shop(middleware=[RetryMiddleware(max_retries=3, base_delay=0.001)])
        async with served(around(shop)) as serving, client(serving, era) as one:
            shop.fails = 2
            result = await one.call_tool("order", {"item": "tea"})
            assert shop.ran.count("order") == orders
            assert result.is_error is (orders == 1)
            shop.fails = 2
            assert said(await one.call_tool("reserve", {"item": "tea"})) == "have tea"
            assert shop.ran.count("reserve") == 3

    asyncio.run(run())


def test_what_a_tool_raises_is_hidden_from_the_model() -> None:
    async def run() -> None:
        shop = Shop(middleware=[ErrorHandlingMiddleware()])
        async with served(as_it_is(shop)) as serving, client(serving, ERAS[1]) as one:
            with pytest.raises(MCPError) as error:
                await one.call_tool("refuse", {"why": "out of tea"})
            assert error.value.error.code == -32602

    asyncio.run(run())


@pytest.mark.parametrize("era", ERAS)
def test_what_a_tool_of_a_hardened_server_raises_is_seen_by_the_model(era: str) -> None:
    async def run() -> None:
        shop = Shop(middleware=[(errors := ErrorHandlingMiddleware())])
        async with served(hardened(shop)) as serving, client(serving, era) as one:
            result = await one.call_tool("refuse", {"why": "out of tea"})
            assert result.is_error
            assert "out of tea" in said(result)
            # It goes on counting what it is there to count.
            assert sum(errors.get_error_stats().values()) == 1

    asyncio.run(run())


def test_what_is_mounted_is_put_right_too() -> None:
    async def run() -> None:
        shop, front = Shop(middleware=[ResponseCachingMiddleware()]), FastMCP("front")
        front.mount(shop.server, namespace="shop")
        async with served(lockgate.harden(front)) as serving, client(serving, ERAS[1]) as one:
            for _ in range(2):
                await one.call_tool("shop_pay", {"amount": 5})
            assert shop.ran == ["pay", "pay"]
            async with one.listen(tools_list_changed=True) as news:
                shop.server.tool(lambda: "x", name="later")
                await asyncio.wait_for(anext(aiter(news)), 60)

    asyncio.run(run())
