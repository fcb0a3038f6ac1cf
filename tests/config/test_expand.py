"""Expansion: once, from the environment only, and nothing lost on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config.expand import Expander

PROJECT = Path("/work/project")
names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)


def expand(text: str, **environ: str) -> tuple[str, list[str]]:
    reports: list[str] = []
    expander = Expander({"HOME": "/home/me", **environ}, PROJECT)
    return expander.expand(text, lambda kind, _s, _r: reports.append(kind)), reports


@pytest.mark.parametrize(
    ("text", "expected", "reports"),
    [
        ("plain $VAR {x}", "plain $VAR {x}", []),
        ("a${A}b${env:B}c", "a1b2c", []),
        ("${NONE:-x}", "x", []),
        ("${EMPTY:-x}", "x", []),
        ("${EMPTY}", "", []),
        ("${A:-x}", "1", []),
        ("${NONE:-}", "", []),
        ("${NONE:-${B}}", "2", []),
        ("${NONE:-{}}", "{}", []),
        ("$${A}", "${A}", []),
        ("$$${A}", "$${A}", []),
        ("${userHome}/x", "/home/me/x", []),
        ("${workspaceFolder}${/}y", f"/work/project{os.sep}y", []),
        ("${workspaceFolderBasename}", "project", []),
        ("${NONE}", "${NONE}", ["variable-missing"]),
        ("${NONE} ${A} ${GONE}", "${NONE} 1 ${GONE}", ["variable-missing"] * 2),
        ("${input:api-key}", "${input:api-key}", ["input-variable"]),
        ("${x y}", "${x y}", ["variable-unknown"]),
        ("${A%.*}", "${A%.*}", ["variable-unknown"]),
        ("${command:x.y}", "${command:x.y}", ["variable-unknown"]),
        ("a ${A", "a ${A", ["variable-unknown"]),
        ("${}", "${}", ["variable-unknown"]),
    ],
)
def test_forms(text: str, expected: str, reports: list[str]) -> None:
    assert expand(text, A="1", B="2", EMPTY="") == (expected, reports)


@given(names, st.text(st.characters(exclude_categories=("Cs",))))
def test_what_a_variable_holds_is_never_expanded_again(name: str, value: str) -> None:
    expected = (value, [])
    assert expand(f"${{{name}}}", **{name: value}) == expected
    assert expand(f"${{NOT_{name}_SET:-${{{name}}}}}", **{name: value}) == expected


@given(st.text(st.characters(exclude_characters="$", exclude_categories=("Cs",))), names)
def test_text_around_a_variable_is_kept(text: str, name: str) -> None:
    assert expand(f"{text}${{{name}}}{text}", **{name: "V"}) == (f"{text}V{text}", [])


@given(st.text("${}:-AB /x", max_size=30))
def test_total_and_without_secrets_of_other_names(text: str) -> None:
    result, _ = expand(text, SECRET="hidden-value")
    assert "hidden-value" not in result


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_escaping_gives_back_the_text(text: str) -> None:
    escaped = text.replace("${", "$${")
    if "$${" not in text:
        assert expand(escaped) == (text, [])


def test_a_default_is_in_no_message() -> None:
    said: list[str] = []
    expander = Expander({}, PROJECT)
    for text in ("${my-var:-planted}", "${input:x:-planted}", "${x y:-planted}"):
        expander.expand(text, lambda *words: said.extend(words))
    assert said
    assert "planted" not in " ".join(said)


def test_deep_nesting_is_no_problem() -> None:
    text = "${A:-" * 200 + "x" + "}" * 200
    assert expand(text) == ("x", [])
