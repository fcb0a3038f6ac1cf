"""Errors say what happened and what to do, and reach the model through each SDK."""

from __future__ import annotations

import asyncio
import logging
import pickle
from typing import Any

import pytest

from lockgate.kit import errors
from tests.kit.servers import called, sdk


def test_an_error_says_what_happened_when_to_come_back_and_what_to_do() -> None:
    error = errors.RateLimited("Ten pages a minute are fetched", retry_after=2)
    assert str(error) == ("Ten pages a minute are fetched. Try again in 2.001 s. Call less often.")
    assert str(errors.ToolError("So it is!", "Do that")) == "So it is! Do that."
    assert str(errors.NotFound("No such page", "")) == "No such page."


def test_a_result_has_all_of_it_for_programs_as_well() -> None:
    result = errors.result(errors.NotFound("No page 7", details={"page": 7}))
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith("No page 7. ")
    told = result["structuredContent"]["error"]
    assert told == {
        "code": "not-found",
        "message": "No page 7",
        "suggestion": errors.NotFound.suggestion,
        "details": {"page": 7},
    }


def test_a_result_of_a_defect_has_a_reference_and_nothing_of_the_defect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    result = errors.result(KeyError("hunter2"))
    told = result["structuredContent"]["error"]
    assert told["code"] == "internal"
    assert "hunter2" not in str(result)
    assert told["details"]["reference"] in caplog.text
    assert "hunter2" in caplog.text


def kinds(kind: type[errors.ToolError]) -> list[type[errors.ToolError]]:
    return [kind, *(one for below in kind.__subclasses__() for one in kinds(below))]


def test_codes_are_one_each_and_every_kind_is_in_the_tree() -> None:
    every = [one for one in kinds(errors.ToolError) if "_declared" not in vars(one)]
    assert len({one.code for one in every}) == len(every) == 9
    assert all(one.__name__ in str(errors.__doc__) for one in every)


def test_an_error_can_be_pickled_whatever_sdk_is_loaded() -> None:
    _ = sdk(0), sdk(1)
    error = errors.InvalidInput("n is too large", "Less", details={"most": 3})
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own
    assert isinstance(copy, errors.InvalidInput)
    assert (copy.message, copy.suggestion, copy.details) == ("n is too large", "Less", {"most": 3})


@pytest.mark.parametrize("number", [0, 1])
def test_what_a_tool_raises_reaches_the_model_through_an_sdk_that_masks_errors(number: int) -> None:
    server = sdk(number)

    async def fetched(page: int) -> str:
        raise errors.NotFound(f"No page {page}", "Use 1 to 6")

    @errors.reported
    async def broken(page: int) -> str:
        raise KeyError("hunter2")

    async def wrong(page: int) -> str:
        raise errors.InvalidInput(f"{page} is no page")

    server.tool()(wrong)
    server.tool()(fetched)
    server.tool()(broken)

    async def run() -> None:
        failed, text = await called(server, "fetched", page=7)
        assert failed
        assert text.endswith("No page 7. Use 1 to 6.")
        failed, text = await called(server, "wrong", page=7)
        assert failed
        assert text.endswith("7 is no page. Correct the argument and call again.")
        failed, text = await called(server, "broken", page=7)
        assert failed
        assert "reference" in text
        assert "hunter2" not in text

    asyncio.run(run())


def test_fastmcp_shows_it_even_where_it_masks_details() -> None:
    from fastmcp import FastMCP

    server = FastMCP("masked", mask_error_details=True)

    @server.tool
    async def late() -> str:
        raise errors.Unavailable("The archive is closed", retry_after=60)

    assert late is not None
    failed, text = asyncio.run(called(server, "late"))
    assert failed
    assert text.startswith("The archive is closed. Try again in 60.001 s.")


def test_errors_of_an_sdk_for_the_protocol_pass_unreported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from mcp import MCPError

    @errors.reported
    async def refused() -> Any:
        raise MCPError(code=-32602, message="no")

    with caplog.at_level(logging.ERROR), pytest.raises(MCPError):
        asyncio.run(refused())
    assert not caplog.records


@pytest.mark.parametrize("number", [0, 1])
def test_what_a_resource_raises_reaches_the_client(number: int) -> None:
    from fastmcp import Client as Other
    from mcp import MCPError
    from mcp.client import Client

    server = sdk(number)

    @server.resource("notes://{number}")
    async def note(number: str) -> str:
        raise errors.NotFound(f"There is no note {number}", "Ask which there are")

    @server.resource("late://{number}")
    async def late(number: str) -> str:
        raise errors.Unavailable(f"The archive of {number} is closed")

    assert note is not None
    assert late is not None

    async def run() -> None:
        opened: Any = Other(server) if number else Client(server)
        async with opened as client:
            with pytest.raises(MCPError, match=r"There is no note 7\. Ask which") as caught:
                await client.read_resource("notes://7")
            if number == 0:
                assert caught.value.error.code == -32602
            with pytest.raises(MCPError, match="archive of 7 is closed"):
                await client.read_resource("late://7")

    asyncio.run(run())
