"""API keys: made, kept as digests, accepted, revoked."""

from __future__ import annotations

import contextlib
import json
import stat
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lockgate.cli.main import program
from lockgate.config.model import Config
from lockgate.errors import LockgateError
from lockgate.gateway.app import Gateway
from lockgate.identity.keys import BadKeys, Keyring, new_key, read_keys, write_keys
from lockgate.identity.verdicts import Accepted, Refused
from tests.identity.world import echo, run
from tests.security.musts import must
from tests.security.world import Answer, Peer, World, before

NOW = 1_800_000_000.0


def key(file: Path, name: str, *options: str) -> str:
    done = CliRunner().invoke(program, ["keys", "new", str(file), name, *options])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_a_key_is_found_by_itself_alone() -> None:
    text, kept = new_key("ci", NOW, scopes=["mcp"], groups=["bots"])
    ring = Keyring([kept], {"mcp": frozenset({"read"})})
    found = ring.find(text, NOW)
    assert isinstance(found, Accepted)
    assert found.principal.id == "key:ci"
    assert found.principal.scopes == {"mcp", "read"}
    assert found.principal.groups == {"bots"}
    assert found.principal.subject is None
    for other in (text[:-1], text + "x", text.swapcase(), text[:21] + "A" * 43, "lockgate_", ""):
        assert isinstance(ring.find(other, NOW), Refused)
    assert isinstance(Keyring([], {}).find(text, NOW), Refused)


def test_a_key_expires() -> None:
    text, kept = new_key("ci", NOW, expires=NOW + 10)
    ring = Keyring([kept], {})
    assert isinstance(ring.find(text, NOW + 9), Accepted)
    late = ring.find(text, NOW + 10)
    assert isinstance(late, Refused)
    assert late.cause == "expired"


@must("keys-at-rest")
def test_nothing_that_is_kept_can_be_used_as_a_key() -> None:
    text, kept = new_key("ci", NOW)
    written = write_keys([kept])
    assert text.encode() not in written
    assert text.rpartition("_")[2].encode() not in written
    assert read_keys(written) == [kept]
    assert isinstance(Keyring([kept], {}).find(kept.hash, NOW), Refused)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader_of_keys(data: bytes) -> None:
    with contextlib.suppress(BadKeys):
        read_keys(data)


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "a", "id": "x", "hash": "md5:0"},
        {"name": "a b", "id": "x", "hash": "sha256:" + "0" * 64},
        {"name": "a", "id": "x", "hash": "sha256:" + "0" * 64, "key": "plain"},
        {"name": "a", "id": "x", "hash": "sha256:" + "0" * 64, "expires": "2026-01-01T00:00:00"},
    ],
)
def test_entries_that_make_no_sense_are_refused(entry: dict[str, str]) -> None:
    with pytest.raises(BadKeys):
        read_keys(json.dumps({"keys": [entry]}).encode())


def test_the_command_makes_lists_and_revokes(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    text = key(file, "ci", "--scope", "mcp", "--group", "bots", "--expires", "90d")
    assert text.startswith("lockgate_")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert text not in file.read_text()
    listed = CliRunner().invoke(program, ["keys", "list", str(file)]).stdout
    assert "ci" in listed
    assert "mcp" in listed
    [one] = json.loads(CliRunner().invoke(program, ["keys", "list", str(file), "--json"]).stdout)
    assert (one["name"], one["scopes"], one["expired"]) == ("ci", ["mcp"], False)
    assert "hash" not in one
    twice = CliRunner().invoke(program, ["keys", "new", str(file), "ci"])
    assert twice.exit_code == 2
    assert "revoke" in twice.output
    assert CliRunner().invoke(program, ["keys", "revoke", str(file), "nobody"]).exit_code == 2
    assert CliRunner().invoke(program, ["keys", "revoke", str(file), "ci"]).exit_code == 0
    assert read_keys(file.read_bytes()) == []
    assert [one.name for one in tmp_path.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("arguments", [["new", "k", "a b"], ["new", "k", "a", "--expires", "soon"]])
def test_slips_on_the_command_line_make_no_file(tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "k"
    arguments = [str(file) if one == "k" else one for one in arguments]
    assert CliRunner().invoke(program, ["keys", *arguments]).exit_code == 2
    assert not file.exists()


async def call(world: World, token: str) -> Answer:
    fields: dict[str, str | bytes | None] = {"Authorization": f"Bearer {token}"}
    return await world.post("tools/call", {"name": "echo", "arguments": {}}, fields=fields)


@must("keys-at-rest", "as-401")
def test_a_key_opens_the_endpoint_until_it_is_revoked(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    first, second = key(file, "first"), key(file, "second")

    async def test() -> None:
        peer = Peer(script=echo)
        async with before(peer, auth={"keys_file": str(file)}) as world:
            assert (await call(world, first)).status == 200
            assert (await call(world, second)).status == 200
            seen = len(peer.requests)
            for bad in (first[:-1] + ("a" if first[-1] != "a" else "b"), "lockgate_x", "e.y.J"):
                answer = await call(world, bad)
                assert answer.status == 401
                # There is no issuer to get a token from, and so no document that names one.
                assert answer.headers["www-authenticate"].startswith('Bearer realm="lockgate"')
                assert "resource_metadata" not in answer.headers["www-authenticate"]
            assert len(peer.requests) == seen
            CliRunner().invoke(program, ["keys", "revoke", str(file), "first"])
            third = key(file, "third")
            settings = world.gateway._config
            await world.gateway.reload(settings)
            assert (await call(world, first)).status == 401
            assert (await call(world, second)).status == 200
            assert (await call(world, third)).status == 200
            # A list that cannot be read changes nothing, and revokes nobody by accident.
            file.write_text("{")
            with pytest.raises(LockgateError) as caught:
                await world.gateway.reload(settings)
            assert caught.value.code == "LG-940"
            assert (await call(world, second)).status == 200

    run(test())


def test_keys_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, kept = new_key("env", time.time())
    monkeypatch.setenv("SOME_KEYS", write_keys([kept]).decode())
    file = tmp_path / "keys.json"
    other = key(file, "file")

    async def test() -> None:
        auth = {"keys_env": "SOME_KEYS", "keys_file": str(file)}
        async with before(Peer(script=echo), auth=auth) as world:
            assert (await call(world, text)).status == 200
            assert (await call(world, other)).status == 200

    run(test())
    key(file, "env")
    with pytest.raises(LockgateError):
        Gateway(
            Config.model_validate(
                {"lockgate": {"auth": {"keys_env": "SOME_KEYS", "keys_file": str(file)}}}
            )
        )
