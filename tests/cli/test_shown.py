"""What people see: results, the start-up table, and the generated page."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lockgate.cli.reference import page
from lockgate.cli.render import show_result
from lockgate.cli.table import show_servers, show_withheld, summary
from lockgate.gateway.status import ServerStatus, Withheld

ROOT = Path(__file__).parents[2]


def shown(result: Any) -> str:
    out = io.StringIO()
    show_result(result, Console(file=out, width=80, color_system=None, markup=False))
    return out.getvalue()


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"content": [text("a"), text("b [red]")]}, "a\nb [red]\n"),
        ({"content": [text("5")], "structuredContent": {"result": 5}}, "5\n"),
        ({"content": [text("x")], "structuredContent": {"result": "x"}}, "x\n"),
        (
            {"content": [text("seen")], "structuredContent": {"a": {"b": 1}}},
            '{\n  "a": {\n    "b": 1\n  }\n}\nseen\n',
        ),
        ({"content": []}, "(an empty result)\n"),
        ({}, "(an empty result)\n"),
        (
            {"content": [{"type": "image", "mimeType": "image/png", "data": "A" * 4096}]},
            "[image image/png, 3.0 KiB; --json has it in base64]\n",
        ),
        (
            {"content": [{"type": "resource_link", "name": "n", "uri": "file:///x\x1b"}]},
            "[link to n file:///x\\x1b]\n",
        ),
        ({"content": [{"type": "resource", "resource": {"uri": "u", "text": "T"}}]}, "T\n"),
        (
            {"content": [{"type": "resource", "resource": {"uri": "u", "blob": "AAAA"}}]},
            "[resource u, 3 bytes; --json has it in base64]\n",
        ),
        ({"content": [{"type": "novel"}]}, "[content of type novel; --json shows it]\n"),
    ],
)
def test_results(result: Any, expected: str) -> None:
    assert shown(result) == expected


def test_a_list_of_flat_objects_is_a_table() -> None:
    rows = [{"name": "x", "size": 1}, {"name": "y", "size": None}]
    table = shown({"structuredContent": {"rows": rows}, "content": []})
    cells = [line.split() for line in table.splitlines() if line.strip()]
    assert cells == [["name", "size"], cells[1], ["x", "1"], ["y", "null"]]
    nested = shown({"structuredContent": [{"a": [1]}], "content": []})
    assert nested.startswith("[\n")


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "resource", "data", "result"]), inner)
    ),
    max_leaves=15,
)


@given(odd, odd)
def test_any_result_is_shown_without_control_characters(content: Any, structured: Any) -> None:
    said = shown({"content": content, "structuredContent": structured})
    assert not any(ord(character) < 32 and character not in "\n\t" for character in said)


def test_servers_as_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    servers = [
        ServerStatus(
            name="a", transport="stdio", phase="ready", eras=("modern",), tools=3, seconds=0.5
        ),
        ServerStatus(name="b", transport="http", phase="idle"),
        ServerStatus(name="d", transport="http", phase="ready", breaker="half-open"),
        ServerStatus(name="e", transport="stdio", phase="crash-looping"),
        ServerStatus(
            name="c",
            transport="http",
            phase="backoff",
            retry_in=2.4,
            error="refused\x1b[2J",
            remedy="Start it.",
        ),
    ]
    show_servers(servers)
    assert capsys.readouterr().err.splitlines() == [
        "server a: ready transport=stdio era=modern tools=3 time=0.50 s",
        "server b: lazy transport=http era=- tools=- time=-",
        "server d: ready (breaker half-open) transport=http era=- tools=- time=-",
        "server e: crash-looping transport=stdio era=- tools=- time=-",
        "server c: failed transport=http era=- tools=- time=-",
        "c: refused\\x1b[2J; next attempt in 2 s",
        "  → Start it.",
    ]
    assert summary(servers) == "3 of 5 servers ready, 3 tools"


def test_servers_of_which_something_is_withheld(capsys: pytest.CaptureFixture[str]) -> None:
    def server(name: str, tools: int, *withheld: Withheld) -> ServerStatus:
        return ServerStatus(
            name=name, transport="stdio", phase="ready", tools=tools, withheld=withheld
        )

    servers = [
        server("all", 3),
        server("some", 3, Withheld("tool", "pin-new", 1), Withheld("prompt", "pin-changed", 2)),
        server("none", 2, Withheld("tool", "pin-server", 2)),
        server(
            "bad", 3, Withheld("tool", "definition-withheld", 1), Withheld("tool", "pin-new", 1)
        ),
    ]
    show_servers(servers)
    show_withheld(servers, "my config.json")
    assert capsys.readouterr().err.splitlines() == [
        "server all: ready transport=stdio era=- tools=3 time=-",
        "server some: ready transport=stdio era=- tools=2 of 3 time=-",
        "server none: withheld transport=stdio era=- tools=0 of 2 time=-",
        "server bad: ready transport=stdio era=- tools=1 of 3 time=-",
        "some: 1 tool, 2 prompts withheld: new, or changed since somebody approved them.",
        "  → lockgate approve 'my config.json' some",
        "none: 2 tools withheld: nobody has approved this server.",
        "  → lockgate approve 'my config.json' none",
        "bad: 1 tool withheld: their definitions hold what manipulates models.",
        "  → lockgate scan 'my config.json'",
        "bad: 1 tool withheld: new, or changed since somebody approved them.",
        "  → lockgate approve 'my config.json' bad",
    ]
    assert summary(servers) == "3 of 4 servers ready, 1 withheld, 6 tools (5 more withheld)"


def test_the_page_of_the_command_line_is_current() -> None:
    written = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    assert written == page(), "run: python -m lockgate.cli.reference"
