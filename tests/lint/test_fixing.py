"""What `--fix` writes, and what comments allow."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.lint.fixing import repaired
from lockgate.lint.found import Found
from lockgate.lint.rule import OPENING
from lockgate.lint.source import Source
from tests.lint.servers import looked, rules

TOOL = "\n\n@mcp.tool()\nasync def t(n: int) -> int:\n    '''Do.'''\n"
REPAIRS = {
    "print(n)": "print(n, file=sys.stderr)",
    "print()": "print(file=sys.stderr)",
    "print((n), )": "print((n), file=sys.stderr )",
    "print(n,  # why\n    )": "print(n, file=sys.stderr  # why\n    )",
    "print('é\u2028', n)": "print('é\u2028', n, file=sys.stderr)",
    "print(n, file=sys.stdout)": "print(n, file=sys.stderr)",
    "sys.stdout.write('a')": "sys.stderr.write('a')",
    "logging.basicConfig(stream=sys.stdout)": "logging.basicConfig(stream=sys.stderr)",
    "time.sleep(1)": "await asyncio.sleep(1)",
    "x = time.sleep(1)": "x = time.sleep(1)",
}
IMPORTS = "import asyncio\nimport logging\nimport sys\nimport time\n"


@pytest.mark.parametrize("before", REPAIRS)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_repair_changes_what_is_wrong_and_nothing_else(
    before: str, ending: str, tmp_path: Path
) -> None:
    text = f"{IMPORTS}{OPENING}{TOOL}    {before}\n    return n\n\n\nmcp.run()\n".replace(
        "\n", ending
    )
    looked(tmp_path, fix=True, server=text)
    with (tmp_path / "server.py").open(encoding="utf-8", newline="") as file:
        after = file.read()
    wanted = text.replace(before.replace("\n", ending), REPAIRS[before].replace("\n", ending))
    assert after == wanted


def test_the_import_a_repair_needs_is_added_once(tmp_path: Path) -> None:
    head = '"""Says."""\n\nfrom __future__ import annotations\n\n'
    text = f"{head}{OPENING}{TOOL}    print(n)\n    print()\n"
    report = looked(tmp_path, fix=True, server=text)
    after = (tmp_path / "server.py").read_text("utf-8")
    assert after.count("import sys\n") == 1
    assert after.index("__future__") < after.index("import sys") < after.index("import MCPServer")
    assert [file.repaired for file in report.files] == [2]
    left = [one.rule for file in report.files for one in file.problems if one.severity != "note"]
    assert left == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["n", "'a, )'", "(1)", "f'{n}'", "*[n]", "sep=','", "'''\n'''"])),
    st.sampled_from(["", ",", " ,", "\n    ", ",\n  # )\n"]),
)
def test_any_print_stays_python(parts: list[str], end: str) -> None:
    call = f"print({', '.join(sorted(parts, key=lambda one: '=' in one))}{end if parts else ''})"
    try:
        source = Source(Path("x.py"), f"import sys\nn = 1\n{call}\n")
    except SyntaxError:
        return
    found = [Found(rule="stdout-print", node=one) for one in source.calls[:1]]
    text, count = repaired(source, found)
    assert count == 1
    (node,) = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Call)][:1]
    assert {one.arg for one in node.keywords} >= {"file"}
    assert len(node.args) == sum("=" not in one for one in parts)


BAD = "@mcp.tool()\ndef t(n) -> int:{}\n    '''Do.'''\n    return n\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (BAD.format(""), ["parameter-untyped"]),
        (BAD.format("  # lockgate: allow[parameter-untyped] any will do"), []),
        ("# lockgate: allow[parameter-untyped] any will do\n" + BAD.format(""), []),
        ("# lockgate: allow-file[parameter-untyped] any will do\n\n\n" + BAD.format(""), []),
        (BAD.format("  # lockgate: allow[tool-shadowed] any"), ["parameter-untyped"]),
        (
            BAD.format("  # lockgate: allow[parameter-untyped]"),
            ["allowed-without-reason", "parameter-untyped"],
        ),
        (
            BAD.format("") + "# lockgate: allow[parameter-untyped] too late\n",
            ["parameter-untyped"],
        ),
        (BAD.format("") + "TEXT = '# lockgate: allow-file[parameter-untyped] no comment'\n",
         ["parameter-untyped"]),
    ],
)  # fmt: skip
def test_what_is_allowed_is_allowed_with_a_reason(
    text: str, left: list[str], tmp_path: Path
) -> None:
    assert sorted(rules(tmp_path, text)) == left
