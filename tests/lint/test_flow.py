"""Where what a caller sent is followed to, and what counts as a look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.servers import looked, problems, rules

TOOL = '@mcp.tool()\ndef t({}) -> str:\n    """Do."""\n{}'
REACHED = {
    "joined": ("name: str", "    return open('/srv/' + name).readline()\n", "path-unchecked"),
    "renamed": (
        "name: str", "    a = name.strip()\n    b = f'/srv/{a}'\n    open(b)\n", "path-unchecked",
    ),
    "a list of them": (
        "names: list[str]", "    for n in names:\n        open(n)\n", "path-unchecked",
    ),
    "a default": ("name: str = 'a'", "    open(name)\n", "path-unchecked"),
    "empty is no check": (
        "name: str", "    if name == '':\n        raise ValueError\n    open(name)\n",
        "path-unchecked",
    ),
    "a scheme is no check": (
        "url: str",
        ("    import httpx\n    if not url.startswith('https://'):\n        raise ValueError\n"
        "    httpx.get(url, timeout=3)\n"),
        "url-unchecked",
    ),
    "a host of its own": (
        "host: str", "    import httpx\n    httpx.get(f'https://{host}/x', timeout=3)\n",
        "url-unchecked",
    ),
    "a format": (
        "word: str",
        ("    import sqlite3\n    q = 'select a from b where c = {}'.format(word)\n"
        "    sqlite3.connect('x').execute(q)\n"),
        "sql-built",
    ),
    "a shell": ("word: str", "    import os\n    os.system('echo ' + word)\n", "shell-command"),
    "an asynchronous shell": (
        "word: str", "    import asyncio\n    asyncio.create_subprocess_shell(word)\n",
        "shell-command",
    ),
}  # fmt: skip
HELD = {
    "a number": ("name: int", "    open(f'/srv/{name}').readline()\n"),
    "a choice": ("name: Literal['a', 'b'] | None", "    open(f'/srv/{name}')\n"),
    "a pattern": ("name: Annotated[str, Field(pattern='^[a-z]+$')]", "    open(name)\n"),
    "a check": ("name: str", "    p = safe_join('/srv', name)\n    open(p)\n"),
    "a set": (
        "name: str", "    if name not in NAMES:\n        raise ValueError\n    open(name)\n",
    ),
    "a folder": (
        "name: str",
        "    p = (Path('/s') / name).resolve()\n    p.relative_to('/s')\n    p.read_text()[:9]\n",
    ),
    "a path under a fixed host": (
        "word: str", "    import httpx\n    httpx.get(f'https://a.example/{word}', timeout=3)\n",
    ),
    "a value": ("word: str", "    db.execute('select a from b where c = ?', (word,))\n"),
    "a quoted word": (
        "word: str",
        "    import os\n    import shlex\n    os.system('echo ' + shlex.quote(word))\n",
    ),
    "the length of it": ("name: str", "    open(f'/srv/{len(name)}')\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", REACHED)
def test_what_is_not_looked_at_is_found(case: str, tmp_path: Path) -> None:
    given, body, rule = REACHED[case]
    assert rule in rules(tmp_path, TOOL.format(given, body))


@pytest.mark.parametrize("case", HELD)
def test_what_is_looked_at_is_not(case: str, tmp_path: Path) -> None:
    given, body = HELD[case]
    found = set(rules(tmp_path, TOOL.format(given, body)))
    assert found <= {"shell-command"} if case == "a quoted word" else found == set()


def test_into_functions_of_the_same_file(tmp_path: Path) -> None:
    text = (
        TOOL.format("name: str", "    return read(at=name)\n")
        + "\n\ndef read(at: str) -> str:\n    return deeper(at)\n"
        + "\n\ndef deeper(where: str) -> str:\n    return open(where).readline()\n"
    )
    (found,) = problems(tmp_path, text)
    assert (found.rule, found.within, found.kind) == ("path-unchecked", "t", "tool")
    assert found.evidence == "open(where)"


def test_a_function_that_calls_itself_ends(tmp_path: Path) -> None:
    text = TOOL.format("n: str", "    return a(n)\n") + (
        "\n\ndef a(n: str) -> str:\n    return b(n)\n\n\ndef b(n: str) -> str:\n    return a(n)\n"
    )
    assert rules(tmp_path, text) == []


def test_what_blocks_below_an_asynchronous_tool(tmp_path: Path) -> None:
    text = (
        "import time, asyncio\n@mcp.tool()\nasync def a() -> int:\n    '''Do.'''\n    nap()\n"
        "    await asyncio.to_thread(rest)\n"
        "@mcp.tool()\ndef b() -> int:\n    '''Do, too.'''\n    rest()\n"
        "def nap():\n    time.sleep(1)\n"
        "def rest():\n    time.sleep(2)\n"
    )
    assert [one.evidence for one in problems(tmp_path, text) if one.severity != "note"] == [
        "time.sleep(1)"
    ]


@pytest.mark.parametrize(
    ("start", "graded"),
    [
        ("mcp.run()", "block"),
        ("mcp.run(transport=way)", "review"),
        ("mcp.run('streamable-http')", None),
        ("x = 1", "review"),
    ],
)
def test_prints_matter_where_the_protocol_is_spoken(
    start: str, graded: str | None, tmp_path: Path
) -> None:
    text = f"@mcp.tool()\ndef a() -> None:\n    '''Do.'''\n    print(1)\n\n\n{start}\n"
    assert [one.severity for one in problems(tmp_path, text)] == ([graded] if graded else [])


@pytest.mark.parametrize(
    ("caught", "found"),
    [
        ("except Exception:\n        pass", True),
        ("except:\n        a = 2", True),
        ("except ValueError:\n        pass", False),
        ("except Exception:\n        raise", False),
        ("except Exception:  # it may be gone already\n        pass", False),
        ("except Exception as error:\n        return str(error)", False),
        ("except Exception:\n        log.exception('a')", False),
    ],
)
def test_what_is_caught_and_forgotten(caught: str, found: bool, tmp_path: Path) -> None:
    body = f"    try:\n        a = 1\n    {caught}\n    return 'a'\n"
    assert rules(tmp_path, TOOL.format("", body)) == ["error-swallowed"] * found


@pytest.mark.parametrize(
    ("raised", "found"),
    [
        ("raise ValueError('no')", True),
        ("raise ToolError('no')", False),
        ("raise Mine('no')", False),
        ("try:\n        raise ValueError('no')\n    except ValueError:\n        return 'a'", False),
        ("try:\n        f()\n    except OSError as e:\n        raise KeyError('b') from e", True),
    ],
)
def test_words_that_the_model_does_not_get(raised: str, found: bool, tmp_path: Path) -> None:
    text = TOOL.format("", f"    {raised}\n")
    assert rules(tmp_path, text) == ["error-masked"] * found
    other = "from fastmcp import FastMCP\n\nmcp = FastMCP('x')\n\n\n" + text
    (file,) = looked(tmp_path, server=other).files
    assert "error-masked" not in {one.rule for one in file.problems}


def test_prints_of_what_serves_over_http_only_are_nobodys_business(tmp_path: Path) -> None:
    text = (
        "import uvicorn\n\n\ndef over_http() -> None:\n    print('http://127.0.0.1')\n"
        "    uvicorn.Server(uvicorn.Config(mcp.streamable_http_app())).run()\n\n\n"
        "def over_stdio() -> None:\n    mcp.run()\n"
    )
    assert rules(tmp_path, text) == []
    assert rules(tmp_path, text.replace("    mcp.run()", "    print(1)\n    mcp.run()")) == [
        "stdout-print"
    ]
