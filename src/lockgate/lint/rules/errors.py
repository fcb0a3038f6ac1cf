"""Rules about errors that do not arrive.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

ERRORS: Final = (
    Rule(
        id="error-flattened",
        group="errors",
        severity="review",
        summary="An error is returned as if it were a result.",
        why=(
            "The result says nothing of `isError`, so clients, gateways and metrics count a "
            "success, nothing is tried again, and the model may take the text for data. What kind "
            "of error it was is lost."
        ),
        remedy=(
            "Raise a `ToolError` with words that tell the model what to do next; the framework "
            "makes a result with `isError` of it."
        ),
        bad='''\
stock = {"apple": 3}


@mcp.tool()
def count(fruit: str) -> dict[str, object]:
    """Say how many there are of a fruit."""
    try:
        return {"count": stock[fruit]}
    except KeyError:
        return {"error": "not found"}
''',
        good='''\
stock = {"apple": 3}


@mcp.tool()
def count(fruit: str) -> dict[str, object]:
    """Say how many there are of a fruit."""
    try:
        return {"count": stock[fruit]}
    except KeyError as error:
        raise ToolError(f"There is no {fruit!r}; there are: {', '.join(stock)}.") from error
''',
    ),
    Rule(
        id="error-masked",
        group="errors",
        severity="review",
        summary="The model does not get to read this text.",
        why=(
            "The second SDK takes every exception but `ToolError` for a crash: the model sees "
            "`Error executing tool` and a name, and cannot do better next time, while the server "
            "logs a trace for what was only a wrong argument."
        ),
        remedy="Raise `ToolError` for what you foresaw.",
        bad='''\
@mcp.tool()
def root(number: float) -> float:
    """The square root of a number."""
    if number < 0:
        raise ValueError("Give a number that is not negative.")
    return number**0.5
''',
        good='''\
@mcp.tool()
def root(number: float) -> float:
    """The square root of a number."""
    if number < 0:
        raise ToolError("Give a number that is not negative.")
    return number**0.5
''',
    ),
    Rule(
        id="error-swallowed",
        group="errors",
        severity="review",
        summary="Whatever goes wrong here, nobody learns of it.",
        why=(
            "Every exception is caught, mistakes in the program among them, and neither raised nor "
            "used nor logged. What is missing from the answer looks as if it had never been there."
        ),
        remedy=(
            "Catch what you expect and can handle; let the rest pass, log it with its trace, or "
            "say in a comment why nobody needs to know."
        ),
        ruff=("BLE001", "E722", "S110", "S112"),
        bad='''\
import json


@mcp.tool()
def total(rows: list[str]) -> int:
    """Add up the amounts of rows in JSON."""
    found = 0
    for row in rows:
        try:
            found += json.loads(row)["amount"]
        except Exception:
            continue
    return found
''',
        good='''\
import json


@mcp.tool()
def total(rows: list[str]) -> int:
    """Add up the amounts of rows in JSON."""
    found = 0
    for number, row in enumerate(rows):
        try:
            found += json.loads(row)["amount"]
        except (ValueError, KeyError) as error:
            raise ToolError(f"Row {number} has no amount: {error}.") from error
    return found
''',
    ),
    Rule(
        id="trace-shown",
        group="errors",
        severity="review",
        summary="The trace of the program is part of the answer.",
        why=(
            "It names files, libraries and values that are nobody's business, and costs the model "
            "thousands of tokens that tell it nothing it could act on."
        ),
        remedy="Log the trace; answer with what was wrong with the request.",
        bad='''\
import traceback


@mcp.tool()
def halve(number: int) -> str:
    """Halve an even number."""
    try:
        assert_even(number)
    except ValueError:
        raise ValueError(traceback.format_exc())
    return str(number // 2)


def assert_even(number: int) -> None:
    if number % 2:
        raise ValueError("odd")
''',
        good='''\
import logging


@mcp.tool()
def halve(number: int) -> str:
    """Halve an even number."""
    try:
        assert_even(number)
    except ValueError as error:
        logging.getLogger(__name__).exception("halve failed")
        raise ToolError(f"{number} is odd; give an even number.") from error
    return str(number // 2)


def assert_even(number: int) -> None:
    if number % 2:
        raise ValueError("odd")
''',
    ),
)
