"""What is shown of a configuration: everything in effect, nothing secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lockgate.config.load import examine
from lockgate.config.secrets import MASK, masked, masked_arg, masked_args, masked_url, secrets_of
from lockgate.config.show import as_json, as_yaml, shown

TEXT = """{
  "mcpServers": {
    "a": {
      "command": "sh",
      "args": ["--api-key", "planted-1", "--header=Authorization: Bearer planted-2", "-e",
               "TOKEN=planted-3", "--port", 8080, "${FROM_ENV}", "ghp_planted4planted4planted4"],
      "env": {"PLAIN": "planted-5", "KEPT": "${FROM_ENV}", "BOTH": "x${FROM_ENV}planted-6",
              "WITH_DEFAULT": "${NONE:-planted-7}"},
      "envFile": "more.env"
    },
    "b": {
      "url": "https://x.example/mcp?api_key=planted-9&page=1&k=${FROM_ENV}",
      "headers": {"Authorization": "Bearer ${FROM_ENV}", "X-Key": "planted-10"}
    },
    "c": {"disabled": true, "command": "planted-11"}
  },
  "lockgate": {"session": {"keys": ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}}
}"""


def values(folder: Path) -> dict[str, object]:
    path = folder / "mcp.json"
    path.write_text(TEXT)
    (folder / "more.env").write_text("FILED=planted-12\n")
    found = examine(path, {"FROM_ENV": "planted-13", "PATH": "/bin"})
    assert found.config is not None
    assert found.tree is not None
    assert "planted" not in repr(found.config)
    return shown(found.config, found.tree)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    said = values(tmp_path)
    for text in (as_json(said), as_yaml(said)):
        assert "planted" not in text
        assert "AAAA" not in text
    server = json.loads(as_json(said))["servers"]["a"]
    assert server["args"] == [
        "--api-key", MASK, f"--header=Authorization: Bearer {MASK}", "-e", f"TOKEN={MASK}",
        "--port", "8080", "${FROM_ENV}", MASK,
    ]  # fmt: skip
    assert server["env"] == {
        "PLAIN": MASK,
        "KEPT": "${FROM_ENV}",
        "BOTH": f"{MASK}${{FROM_ENV}}{MASK}",
        "WITH_DEFAULT": f"${{NONE:-{MASK}}}",
        "FILED": MASK,
    }
    other = json.loads(as_json(said))["servers"]["b"]
    assert other["url"] == f"https://x.example/mcp?api_key={MASK}&page=1&k=${{FROM_ENV}}"
    assert other["headers"] == {"Authorization": "Bearer ${FROM_ENV}", "X-Key": MASK}


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    said = json.loads(as_json(values(tmp_path)))
    assert said["lockgate"]["port"] == 4040
    assert said["lockgate"]["limits"]["json_depth"] == 64
    assert said["servers"]["a"]["timeout"] == 300
    assert said["servers"]["c"] == {"disabled": True}


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    said = values(tmp_path)
    assert YAML(typ="safe", pure=True).load(as_yaml(said)) == json.loads(as_json(said))


@pytest.mark.parametrize(
    ("arg", "expected"),
    [
        ("--verbose", "--verbose"),
        ("--port=1", "--port=1"),
        ("--token=abc", f"--token={MASK}"),
        ("GITHUB_TOKEN=abc", f"GITHUB_TOKEN={MASK}"),
        ("PATH=/bin", "PATH=/bin"),
        ("Authorization: Bearer abc", f"Authorization: Bearer {MASK}"),
        ("postgres://me:pw@host/db", f"postgres://me:{MASK}@host/db"),
        ("/home/me/monkey", "/home/me/monkey"),
        ("@scope/keyboard-server", "@scope/keyboard-server"),
        ("MONKEY=see", "MONKEY=see"),
        ("githubToken=x", f"githubToken={MASK}"),
    ],
)
def test_arguments(arg: str, expected: str) -> None:
    assert masked_arg(arg) == expected


@given(st.text(), st.sampled_from(["", "Bearer ", "Basic "]))
def test_a_masked_value_tells_nothing(secret: str, word: str) -> None:
    if "${" not in secret and secret.strip():
        assert masked(word + secret) == word + MASK or secret.lstrip() != secret
        assert masked_args(["--password", secret]) == ["--password", masked(secret)]


@given(st.text())
def test_masking_never_raises(text: str) -> None:
    masked_arg(text)
    masked_url(text)
    secrets_of([("KEY", text)], [text])


def test_short_and_harmless_values_are_not_hunted_in_logs() -> None:
    found = secrets_of([("LOG_LEVEL", "verbose-output"), ("TOKEN", "abc"), ("TOKEN", "abcdef")], [])
    assert found == {"abcdef"}


def test_what_a_harmless_value_holds_is_hunted_all_the_same() -> None:
    url = "postgres://me:hunter2-hunter2@db/notes?token=abcdef123"
    assert secrets_of([("DATABASE_URL", url)], []) >= {"hunter2-hunter2", "abcdef123"}


def test_the_addresses_of_replicas_are_masked_and_known_as_secrets(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    first, second = "https://a.example/mcp?key=planted-1", "https://b.example/mcp?token=${HIDDEN}"
    path.write_text(json.dumps({"mcpServers": {"s": {"urls": [first, second]}}}))
    found = examine(path, {"HIDDEN": "planted-2", "PATH": "/bin"})
    assert found.config is not None
    assert found.tree is not None
    said = shown(found.config, found.tree)["servers"]["s"]["urls"]
    assert said == [f"https://a.example/mcp?key={MASK}", "https://b.example/mcp?token=${HIDDEN}"]
    assert {"planted-1", "planted-2"} <= found.config.secrets
    assert "planted" not in repr(found.config)
