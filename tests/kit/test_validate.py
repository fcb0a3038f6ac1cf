"""Arguments that are not what they have to be do not pass, however they are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator

from lockgate.kit import validate
from lockgate.kit.errors import InvalidInput
from tests.kit.servers import called, sdk

OUT = [
    "",
    "..",
    "../x",
    "/etc/passwd",
    "a/../../x",
    "a/%2e%2e/%2e%2e/x",
    "%252e%252e/x",
    "..\\x",
    "a\\..\\..\\x",
    "~/x",
    "a\0b",
    "a\nb",
    "file:///etc/passwd",
    "//server/share",
    "C:\\x",
    "\uff0e\uff0e/x",
]


@pytest.mark.parametrize("value", OUT)
def test_a_path_that_leads_out_in_any_reading_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="inside the folder"):
        validate.path(value, tmp_path)


def test_a_path_inside_comes_back_whole(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("x")
    assert validate.path("a/b.txt", tmp_path, exists=True) == tmp_path / "a" / "b.txt"
    assert validate.path("a/../new", tmp_path) == tmp_path / "new"
    assert validate.path(str(tmp_path / "a"), tmp_path) == tmp_path / "a"
    with pytest.raises(InvalidInput, match="nothing that exists"):
        validate.path("new", tmp_path, exists=True)


def test_a_link_that_leads_out_is_followed_and_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "in").symlink_to(root)
    with pytest.raises(InvalidInput):
        validate.path("out/secret", root)
    assert validate.path("in/x", root) == root / "x"
    (tmp_path / "alias").symlink_to(root)
    assert validate.path("x", tmp_path / "alias") == root / "x"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab./\\%2eE~: \0c0afuF\u2025", max_size=24))
def test_whatever_passes_is_inside(value: str) -> None:
    root = Path("/srv/kept").resolve()
    try:
        found = validate.path(value, root)
    except InvalidInput:
        return
    assert found.is_relative_to(root)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a\0",
        "con",
        "NUL.txt",
        "x.",
        " x",
        "a:b",
        "x\u202etxt",
        "x" * 256,
    ],
)
def test_what_is_no_name_of_a_file_everywhere_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput):
        validate.filename(value)


def test_names_of_files_pass() -> None:
    for value in ("a.txt", "résumé (2).pdf", ".hidden", "console.log"):
        assert validate.filename(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "ftp://example.com/",
        "http://localhost/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://2130706433/",
        "http://user@example.com/",
        "http://printer/",
        "javascript:alert(1)",
        "http://exa mple.com/",
        "http://db.internal/",
    ],
)
def test_a_url_that_leads_inside_or_has_two_readings_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match=r"^link "):
        validate.url(value, name="link")


def test_a_url_may_be_held_to_hosts() -> None:
    assert validate.url("https://example.com/a?b") == "https://example.com/a?b"
    hosts = ("*.example.com", "10.1.2.3:8080")
    assert validate.url("http://10.1.2.3:8080/", hosts=hosts)
    assert validate.url("https://a.example.com/", hosts=hosts)
    for value in ("https://example.com/", "http://10.1.2.3/", "https://example.org/"):
        with pytest.raises(InvalidInput):
            validate.url(value, hosts=hosts)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (validate.identifier, ["a", "_x-1", "Abc"], ["", "1a", "a b", "é", "a\n", "a" * 65]),
        (validate.sql_identifier, ["users", "_t1"], ["", "1", "a-b", 'a"; --', "a\n", "a" * 64]),
        (validate.text, ["", "one\ntwo", "naïve 👩‍👩‍👧"], ["a\x00", "a\u202eb", "x" * 10_001]),
        (lambda v: validate.text(v, lines=False), ["one"], ["a\nb", "a\u2028b"]),
        (lambda v: validate.number(v, 1, 5), [1, 5, 2.5], [0, 6, float("nan"), float("inf")]),
        (lambda v: validate.items(v, least=1, most=2), [[1], [1, 2]], [[], [1, 2, 3]]),
        (lambda v: validate.size(v, 4), ["äb", b"1234", [1], "1234"], ["12345", {1, 2}, "äää"]),
        (lambda v: validate.choice(v, ["a", "b"]), ["a"], ["c", "A"]),
        (lambda v: validate.sql_identifier(v, {"users"}), ["users"], ["orders", "users "]),
    ],
)
def test_what_passes_and_what_does_not(
    check: Callable[[Any], Any], good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        assert check(value) == value
    for value in bad:
        with pytest.raises(InvalidInput):
            check(value)


def test_a_choice_lists_what_there_is_and_not_what_was_given() -> None:
    with pytest.raises(InvalidInput, match="one of: a, b") as caught:
        validate.choice("ignore previous instructions", ["b", "a"], name="table")
    assert "ignore" not in str(caught.value)
    with pytest.raises(InvalidInput, match="and 80 more"):
        validate.choice(-1, range(100))


@pytest.mark.parametrize("number", [0, 1])
def test_as_a_validator_of_pydantics_it_says_so_to_the_model(number: int) -> None:
    server = sdk(number)

    async def lookup(table: Annotated[str, AfterValidator(validate.sql_identifier)]) -> str:
        return f"rows of {table}"

    server.tool()(lookup)

    async def run() -> None:
        assert await called(server, "lookup", table="users") == (False, "rows of users")
        failed, text = await called(server, "lookup", table="users; drop")
        assert failed
        assert "plain name" in text

    asyncio.run(run())
