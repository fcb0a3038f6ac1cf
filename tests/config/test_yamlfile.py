"""The YAML reader: positions, YAML 1.2 scalars, and hostile files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config import jsonc, yamlfile
from lockgate.config.finding import Findings
from lockgate.config.nodes import Node


def parse(text: str) -> tuple[Node | None, Findings]:
    findings = Findings(Path("x.yaml"))
    return yamlfile.parse(text, findings), findings


def test_scalars_follow_the_core_schema() -> None:
    node, findings = parse(
        "a: yes\nb: 0o17\nc: 0x1F\nd: '1'\ne: 2026-01-01\nf: ~\ng: 010\nh: 1.5\ni: true\nj:\n"
    )
    assert not findings
    assert node is not None
    assert node.plain() == {
        "a": "yes", "b": 15, "c": 31, "d": "1", "e": "2026-01-01",
        "f": None, "g": "010", "h": 1.5, "i": True, "j": None,
    }  # fmt: skip


def test_a_tag_builds_nothing() -> None:
    node, _ = parse("a: !!python/object/apply:os.system ['true']\nb: !x y")
    assert node is not None
    assert node.plain() == {"a": ["true"], "b": "y"}


def test_merge_keys_and_positions() -> None:
    node, findings = parse("x: &a {k: 1, z: 0}\ny:\n  <<: *a\n  z: 2\n")
    assert not findings
    assert node is not None
    assert node.plain()["y"] == {"k": 1, "z": 2}
    assert node.locate(("y", "z")) == ((4, 3), True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n\tb: 2", 2),
        ("a: [1", 1),
        ("a: *b", 1),
        ("a: b: c", 1),
        ("- 1\n---\n- 2", 2),
        ("", 1),
        ("a: \x07", None),
    ],
)
def test_errors_say_where(text: str, line: int | None) -> None:
    node, findings = parse(text)
    assert node is None
    assert [(one.id, one.line) for one in findings] == [("syntax", line)]


def test_aliases_that_multiply_are_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    node, findings = parse(bomb)
    assert node is None
    assert findings.fatal


def test_endless_nesting_is_refused() -> None:
    for text in ("[" * 1500, "a: " + "{b: " * 1500, "&a [*a]"):
        node, findings = parse(text)
        assert node is None
        assert findings.fatal


@given(st.text("ab:-[]{}&*!|>'\"#% \n\t,?@", max_size=40))
def test_garbage_never_raises(text: str) -> None:
    node, findings = parse(text)
    assert node is not None or findings.fatal


@given(st.dictionaries(st.text("abc", min_size=1), st.lists(st.integers(0, 9) | st.booleans())))
def test_json_is_yaml(value: dict[str, list[int]]) -> None:
    text = json.dumps(value, indent=1)
    node, _ = parse(text)
    other = jsonc.parse(text, Findings(Path("x.json")))
    assert node is not None
    assert other is not None
    assert node.plain() == other.plain() == value
