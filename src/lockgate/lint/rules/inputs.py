"""Rules about what callers send: files, addresses, databases, state.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

INPUTS: Final = (
    Rule(
        id="path-unchecked",
        group="input",
        severity="review",
        summary="The caller chooses which file it is, and nothing holds it to a folder.",
        why=(
            "`../../.ssh/id_rsa`, an absolute path or a symbolic link leads to whatever the "
            "server's user may read or write; joining it to a folder does not help."
        ),
        remedy="Resolve it, and refuse what does not lie in the folder that is meant.",
        bad='''\
from pathlib import Path

NOTES = Path("notes")


@mcp.tool()
def append(name: str, text: str) -> str:
    """Append to a note."""
    with open(NOTES / name, "a") as file:
        file.write(text)
    return "done"
''',
        good='''\
from pathlib import Path

NOTES = Path("notes").resolve()


@mcp.tool()
def append(name: str, text: str) -> str:
    """Append to a note."""
    path = (NOTES / name).resolve()
    if not path.is_relative_to(NOTES):
        raise ToolError(f"{name!r} is outside of the notes.")
    with open(path, "a") as file:
        file.write(text)
    return "done"
''',
    ),
    Rule(
        id="url-unchecked",
        group="input",
        severity="review",
        summary="The caller chooses where the request goes.",
        why=(
            "Your server reaches what the caller cannot: the metadata service of the cloud, "
            "databases, the router. Looking at the host's name is not enough, because a name may "
            "resolve to any address, and a redirect may lead anywhere."
        ),
        remedy=(
            "Fetch with `lockgate.kit.fetch`, which judges every address it connects to, or allow "
            "hosts by name."
        ),
        bad='''\
import httpx


@mcp.tool()
async def size(url: str) -> int:
    """The size of a page."""
    async with httpx.AsyncClient(timeout=10) as client:
        return len((await client.get(url)).content)
''',
        good='''\
from lockgate.kit import fetch

pages = fetch.Client(hosts=["example.com", "*.example.org"])


@mcp.tool()
async def size(url: str) -> int:
    """The size of a page of example.com or example.org."""
    return len((await pages.get(url)).body)
''',
    ),
    Rule(
        id="sql-built",
        group="input",
        severity="block",
        summary="What the caller sent becomes part of an SQL statement.",
        why="A quote ends the string, and what follows is executed: any table, read or dropped.",
        remedy="Pass values as parameters; choose tables and columns from a list of your own.",
        bad='''\
import sqlite3


@mcp.tool()
def orders(customer: str) -> list[str]:
    """The latest orders of a customer."""
    rows = sqlite3.connect("shop.db").execute(
        f"SELECT title FROM orders WHERE customer = '{customer}' LIMIT 50"
    )
    return [title for (title,) in rows]
''',
        good='''\
import sqlite3


@mcp.tool()
def orders(customer: str) -> list[str]:
    """The latest orders of a customer."""
    rows = sqlite3.connect("shop.db").execute(
        "SELECT title FROM orders WHERE customer = ? LIMIT 50", (customer,)
    )
    return [title for (title,) in rows]
''',
    ),
    Rule(
        id="sql-from-caller",
        group="input",
        severity="review",
        summary="The caller's SQL is executed as it is.",
        why=(
            "Whatever the database's user may do, the model may do, by mistake or because a page "
            "it read told it to. Looking for `SELECT` at the beginning stops neither."
        ),
        remedy=(
            "Offer tools for the questions there are; if it has to be SQL, connect read-only, with "
            "a time limit and a limit of rows, and say so where you allow this finding."
        ),
        bad='''\
import sqlite3


@mcp.tool()
def ask(sql: str) -> list[tuple[object, ...]]:
    """Ask the database."""
    return sqlite3.connect("shop.db").execute(sql).fetchmany(50)
''',
        good='''\
import sqlite3
from typing import Literal

COLUMNS = {"name": "SELECT name FROM people LIMIT ?", "city": "SELECT city FROM people LIMIT ?"}


@mcp.tool()
def ask(column: Literal["name", "city"]) -> list[tuple[object, ...]]:
    """The first people's names or cities."""
    return sqlite3.connect("shop.db").execute(COLUMNS[column], (50,)).fetchmany(50)
''',
    ),
    Rule(
        id="arguments-unvalidated",
        group="input",
        severity="review",
        summary="Nothing holds the arguments to the schema that was listed.",
        why=(
            "The low-level server of the second SDK lists your `inputSchema` and checks nothing by "
            "it: missing, additional and wrong arguments arrive as they were sent."
        ),
        remedy="Validate them before anything else, with `jsonschema` or a model.",
        bad="""\
from mcp.server import Server, ServerRequestContext
from mcp.types import CallToolRequestParams, CallToolResult, TextContent


async def call(ctx: ServerRequestContext, params: CallToolRequestParams) -> CallToolResult:
    amount = params.arguments["amount"]
    return CallToolResult(content=[TextContent(type="text", text=str(amount * 2))])


server = Server("demo", on_call_tool=call)
""",
        good="""\
from mcp.server import Server, ServerRequestContext
from mcp.types import CallToolRequestParams, CallToolResult, TextContent
from pydantic import BaseModel


class Amount(BaseModel):
    amount: int


async def call(ctx: ServerRequestContext, params: CallToolRequestParams) -> CallToolResult:
    given = Amount.model_validate(params.arguments or {})
    return CallToolResult(content=[TextContent(type="text", text=str(given.amount * 2))])


server = Server("demo", on_call_tool=call)
""",
    ),
    Rule(
        id="state-shared",
        group="input",
        severity="review",
        summary="What one caller sets here holds for all the others.",
        why=(
            "A server over HTTP has many callers at once: the second one's choice of a project, "
            "user or token is in force when the first one's next call comes."
        ),
        remedy="Take it as a parameter each time, or keep it by session or principal.",
        bad='''\
project = "main"


@mcp.tool()
def choose(name: str) -> str:
    """Choose the project to work on."""
    global project
    project = name
    return project
''',
        good='''\
@mcp.tool()
def describe(project: str) -> str:
    """Describe a project."""
    return f"{project} has no files yet"
''',
    ),
)
