"""What may be a copy of a file is told from data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.context.verbatim import holds_text, is_verbatim


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_file_contents", {}),
        ("readTextFile", {}),
        ("HTTPDownload", {}),
        ("run_shell", {}),
        ("cat", {}),
        ("get", {"filePath": "x"}),
        ("get", {"file-names": ["x"]}),
        ("get", {"uri": "notes://1"}),
        ("get", {"of": "src/.eslintrc"}),
        ("get", {"of": ["a", "Cargo.lock"]}),
    ],
)
def test_what_reads_files_or_runs_commands_answers_with_copies(tool: str, arguments: Any) -> None:
    assert is_verbatim(tool, json.dumps(arguments).encode())


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_issues", {"owner": "x", "repo": "profile", "state": "open"}),
        ("execute_sql", {"query": "select name from files.json_table where a = 1"}),
        ("searchProfiles", {"q": "www.example.com", "version": "1.2.3", "n": 5, "deep": {"a": 1}}),
        ("get_weather_by_city", None),
    ],
)
def test_everything_else_answers_with_data(tool: str, arguments: Any) -> None:
    assert not is_verbatim(tool, None if arguments is None else json.dumps(arguments).encode())


@pytest.mark.parametrize("arguments", [b"{", b"[1]", b'"x"'])
def test_in_doubt_it_is_a_copy(arguments: bytes) -> None:
    assert is_verbatim("get", arguments)


def test_structured_content_that_has_the_text_as_a_member() -> None:
    assert holds_text(b'{"a":1,"content":"x y"}', "x y")
    assert holds_text(b"{", "x")
    assert not holds_text(b'{"a":[1]}', "x y")
    assert not holds_text(b"[1]", "x")
