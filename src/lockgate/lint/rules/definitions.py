"""Rules about what models and clients are shown of a tool.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

DEFINITIONS: Final = (
    Rule(
        id="tool-undescribed",
        group="definitions",
        severity="review",
        summary="The tool has no description.",
        why="The model chooses tools by their descriptions; of this one it knows the name alone.",
        remedy="Say in a docstring what it does, when to use it, and what comes back.",
        bad="""\
@mcp.tool()
def area(width: float, height: float) -> float:
    return width * height
""",
        good='''\
@mcp.tool()
def area(width: float, height: float) -> float:
    """The area of a rectangle, in the square of the unit given."""
    return width * height
''',
    ),
    Rule(
        id="undescribed",
        group="definitions",
        severity="note",
        summary="The resource or prompt has no description.",
        why="People and hosts choose among resources and prompts by what is said of them.",
        remedy="Say in a docstring what it holds.",
        bad="""\
@mcp.resource("config://settings")
def settings() -> str:
    return "{}"
""",
        good='''\
@mcp.resource("config://settings")
def settings() -> str:
    """The settings in effect, as JSON."""
    return "{}"
''',
    ),
    Rule(
        id="parameter-untyped",
        group="definitions",
        severity="review",
        summary="The parameter has no type, so the schema lets anything through.",
        why="The model is not told what to send, and nothing stands between it and your code.",
        remedy="Annotate it, as narrowly as you can: `int`, `Literal[…]`, a model of its own.",
        bad='''\
@mcp.tool()
def double(number) -> int:
    """Twice a number."""
    return number * 2
''',
        good='''\
@mcp.tool()
def double(number: int) -> int:
    """Twice a number."""
    return number * 2
''',
    ),
    Rule(
        id="parameter-loose",
        group="definitions",
        severity="note",
        summary="The parameter's type says hardly anything.",
        why="`dict`, `list` and `Any` become schemas that accept whatever is in them.",
        remedy="Name what is inside: `list[str]`, a `TypedDict`, a model.",
        bad='''\
@mcp.tool()
def register(person: dict) -> str:
    """Register a person with `name` and `age`."""
    return person["name"]
''',
        good='''\
from typing_extensions import TypedDict


class Person(TypedDict):
    name: str
    age: int


@mcp.tool()
def register(person: Person) -> str:
    """Register a person."""
    return person["name"]
''',
    ),
    Rule(
        id="parameter-unexplained",
        group="definitions",
        severity="note",
        summary="Nothing says what a parameter with so short a name is.",
        why="The schema shows the model a name and a type; `q` could be a query or a quantity.",
        remedy="Give it a telling name, or a description: `Annotated[str, Field(description=…)]`.",
        bad='''\
@mcp.tool()
def scale(k: float) -> float:
    """Scale the drawing."""
    return k * 2
''',
        good='''\
from typing import Annotated

from pydantic import Field


@mcp.tool()
def scale(k: Annotated[float, Field(description="The factor; 1 leaves it as it is.")]) -> float:
    """Scale the drawing."""
    return k * 2
''',
    ),
    Rule(
        id="result-untyped",
        group="definitions",
        severity="note",
        summary="The tool does not say what it returns.",
        why=(
            "Without a return type there is no `outputSchema` and no structured content: clients "
            "and code that calls tools have to guess."
        ),
        remedy="Annotate what it returns.",
        bad='''\
@mcp.tool()
def double(number: int):
    """Twice a number."""
    return number * 2
''',
        good='''\
@mcp.tool()
def double(number: int) -> int:
    """Twice a number."""
    return number * 2
''',
    ),
    Rule(
        id="parameters-variable",
        group="definitions",
        severity="review",
        summary="The tool takes any number of parameters, which no schema can say.",
        why="FastMCP refuses such tools at start; elsewhere they get an argument of that name.",
        remedy="Name the parameters, or take one list or model.",
        bad='''\
@mcp.tool()
def longest(*words: str) -> str:
    """The longest of some words."""
    return max(words, key=len)
''',
        good='''\
@mcp.tool()
def longest(words: list[str]) -> str:
    """The longest of some words."""
    return max(words, key=len)
''',
    ),
    Rule(
        id="context-untyped",
        group="definitions",
        severity="review",
        summary="The context has no type, so it becomes an argument for the model to fill.",
        why=(
            "Frameworks know the context by its annotation. Without it the schema demands a `ctx` "
            "of the caller, and the tool gets whatever the model makes up."
        ),
        remedy="Annotate it: `ctx: Context`.",
        bad='''\
@mcp.tool()
async def work(steps: int, ctx) -> str:
    """Work, and tell how far it is."""
    await ctx.report_progress(steps, steps)
    return "done"
''',
        good='''\
from mcp.server.mcpserver import Context


@mcp.tool()
async def work(steps: int, ctx: Context) -> str:
    """Work, and tell how far it is."""
    await ctx.report_progress(steps, steps)
    return "done"
''',
    ),
)
