"""What `config check` finds: golden files, and the rules that need a machine of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lockgate.config.finding import KINDS, Findings
from lockgate.config.load import examine, load
from lockgate.errors import ConfigError

GOLDEN = Path(__file__).parent / "golden"


def lines(findings: Findings, folder: Path) -> str:
    return "".join(
        f"{one.severity} {one.id} {one.place.removeprefix(f'{folder}/')}\n"
        f"    {one.summary}\n    {one.remedy}\n".replace(str(folder), "FOLDER")
        for one in findings.ordered()
    )


@pytest.mark.parametrize("name", ["broken.json", "broken.yaml", "replicas.json", "vscode.json"])
def test_golden(name: str, tmp_path: Path) -> None:
    """Rewrite the expectations with `UPDATE_GOLDEN=1 pytest`, then read the difference."""
    (tmp_path / name).write_text((GOLDEN / name).read_text())
    (tmp_path / name).chmod(0o644)
    found = examine(tmp_path / name, {"PATH": "/bin:/usr/bin", "HOME": "/home/me", "FLAG": "-v"})
    expected = GOLDEN / f"{name}.txt"
    said = lines(found.findings, tmp_path)
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(said)
    assert said == expected.read_text()


def write(folder: Path, text: str, name: str = "mcp.json") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def ids(path: Path, **environ: str) -> list[str]:
    return [one.id for one in examine(path, {"PATH": "/bin:/usr/bin", **environ}).findings]


def test_every_kind_is_reported_with_its_own_severity() -> None:
    findings = Findings(Path("x"))
    for kind, (severity, _) in KINDS.items():
        findings.add(kind, "s", "r", (1, 2))
        assert findings[-1].severity == severity
    assert str(findings[0]) == "x:1:2: s"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"mcpServers": {}}', ["empty"]),
        ('{"mcpServers": {"a": {"command": "sh", "disabled": true}}}', ["empty"]),
        ('{"mcpservers": {}}', ["unknown-key", "no-servers"]),
        ("[]", ["invalid-value"]),
        ('{"mcpServers": []}', ["invalid-value"]),
        ('{"mcpServers": {"a": []}}', ["invalid-value"]),
        ('{"mcpServers": {"a": {"command": "sh"}}, "servers": {}}', ["invalid-value"]),
        ('{"servers": {"a": {"command": "no-such-program"}}}', ["command-missing"]),
        ('{"servers": {"a": {"command": "./no-such-program"}}}', ["command-missing"]),
        ('{"servers": {"a": {"url": "wss://x.example", "type": "ws"}}}', []),
        ('{"servers": {"a": {"url": "ws://x.example", "headers": {"A": "b"}}}}', ["cleartext"]),
        ('{"servers": {"a": {"url": "ws://x.example", "type": "http"}}}', ["server-shape"]),
        ('{"servers": {"a": {"url": "https://x.example", "type": "ws"}}}', ["server-shape"]),
        ('{"servers": {"a": {"url": "https://x.example/sse", "type": "sse"}}}', []),
        ('{"servers": {"a": {"url": "https://x.example/sse", "type": "sse", "era": "modern"}}}',
         ["server-shape"]),
        ('{"servers": {"a": {"url": "https://x.example", "headers": {"A": "b\\r\\nC: d"}}}}',
         ["invalid-value"]),
        ('{"servers": {"a": {"url": "https://x.example", "headers": {"A b": "c"}}}}',
         ["invalid-value"]),
        ('{"servers": {"a": {"url": "https://[x", "headers": {}}}}', ["invalid-value"]),
        ('{"servers": {"a": {"url": "http://127.0.0.1:1/mcp", "headers": {"A": "b"}}}}', []),
        ('{"servers": {"": {"command": "sh"}}}', ["server-name"]),
        ('{"servers": {"a": {"command": "sh", "env": {"A=B": "c"}}}}', ["invalid-value"]),
        ('{"servers": {"a": {"command": "sh", "env": {"NODE_OPTIONS": "c"}}}}', ["unsafe-env"]),
        ('{"servers": {"a": {"command": "sh", "env": {"Npm_Config_x": "c"}}}}', ["unsafe-env"]),
        (
            '{"servers": {"a": {"command": "sh", "allow_unsafe_env": true, "env": {"LD_X": "c"}}}}',
            [],
        ),
        ('{"servers": {"a": {"command": "sh", "envFile": "none.env"}}}', ["path-missing"]),
        ('{"servers": {"a": {"command": "sh"}}, "lockgate": {"session": {"keys": ["short"]}}}',
         ["invalid-value"]),
        ('{"servers": {"a": {"command": "sh"}}, "lockgate": {"session": {"keys_file": "none"}}}',
         ["path-missing"]),
        ('{"servers": {"a": {"command": "sh"}}, "lockgate": {"host": "::"}}', ["wide-bind"]),
        ('{"servers": {"a": {"command": "sh"}}, "lockgate": {"host": "::1"}}', []),
        ('{"servers": {"a": {"command": "sh"}}, "lockgate": 3}', ["invalid-value"]),
        ('{"servers": {"a": {"command": "sh"}}, "globalShortcut": "x"}', ["client-key"]),
    ],
)  # fmt: skip
def test_rules(text: str, expected: list[str], tmp_path: Path) -> None:
    assert ids(write(tmp_path, text)) == expected


def test_a_missing_variable_is_one_finding_and_not_two(tmp_path: Path) -> None:
    text = """{"servers": {"a": {"url": "${A}"}, "b": {"command": "${B}"}},
               "lockgate": {"session": {"keys": ["${C}"]}, "host": "${D:-::1}"}}"""
    assert ids(write(tmp_path, text)) == ["variable-missing"] * 3
    escaped = '{"servers": {"a": {"url": "$${A}"}}}'
    assert ids(write(tmp_path, escaped)) == ["invalid-value"]


def test_a_clients_own_file_may_hold_anything_else(tmp_path: Path) -> None:
    text = '{"numStartups": 3, "projects": {}, "mcpServers": {"a": {"command": "sh"}}}'
    assert ids(write(tmp_path, text, ".claude.json")) == ["client-key"]
    assert ids(write(tmp_path, text, "mcp.json")) == ["unknown-key", "unknown-key"]


def test_unreadable_files_are_findings_too(tmp_path: Path) -> None:
    assert ids(tmp_path / "none.json") == ["file-unreadable"]
    assert ids(tmp_path) == ["file-unreadable"]
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    assert ids(tmp_path / "latin.json") == ["file-unreadable"]
    assert ids(write(tmp_path, "", "empty.json")) == ["syntax"]
    assert ids(write(tmp_path, "", "empty.yaml")) == ["syntax"]


def test_a_readable_secret_is_a_warning_only_where_others_can_read(tmp_path: Path) -> None:
    text = '{"servers": {"a": {"command": "sh", "env": {"TOKEN": "0123456789"}}}}'
    path = write(tmp_path, text)
    assert ids(path) == []
    path.chmod(0o644)
    assert ids(path) == ["readable-secret"]
    path.write_text(text.replace("0123456789", "${T}"))
    assert ids(path, T="0123456789") == []


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b'\xef\xbb\xbf{\r\n"servers": {"a": {"command": "sh"}}\r\n}')
    assert ids(path) == []


def test_load_raises_everything_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, '{"servers": {"a": {"comand": "sh"}, "b": {"command": 1}}}')
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert [one.id for one in caught.value.findings] == ["unknown-key", "invalid-value"]
    assert "and 1 more" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://me:pw@x.example/mcp", "wss://me@x.example", "http://127.1/mcp", "http://x:0/mcp"],
)
def test_a_url_no_connection_can_be_made_to_is_found_before_the_start(
    tmp_path: Path, url: str
) -> None:
    path = write(tmp_path, json.dumps({"servers": {"a": {"url": url}}}))
    loaded = examine(path, {})
    assert [one.id for one in loaded.findings] == ["invalid-value"]
    assert "pw" not in str(loaded.findings[0])


def test_no_repr_shows_what_a_file_holds(tmp_path: Path) -> None:
    text = """{"servers": {"a": {"command": "x", "env": {"TOKEN": "planted"}}}}"""
    assert "planted" not in repr(examine(write(tmp_path, text), {}))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"store": "sqlite:missing/x.db"}, "`lockgate.store`: the folder"),
        ({"cache": {"disk": "missing/x.db"}}, "`lockgate.cache.disk`: the folder"),
    ],
)
def test_a_file_that_could_not_be_made_when_it_is_needed_is_found_at_once(
    tmp_path: Path, settings: dict[str, object], says: str
) -> None:
    path = write(tmp_path, json.dumps({"servers": {}, "lockgate": settings}))
    [found] = [one for one in examine(path, {}).findings if one.severity == "error"]
    assert (found.id, found.place) == ("path-missing", f"{path}:1:{found.column}")
    assert says in found.summary


def test_a_remedy_names_the_key_and_not_a_place_in_its_list(tmp_path: Path) -> None:
    path = write(tmp_path, '{"servers": {}, "lockgate": {"rate": {"total": ["often"]}}}')
    remedies = [one.remedy for one in examine(path, {}).findings]
    assert "See `total` in docs/configuration.md." in remedies
