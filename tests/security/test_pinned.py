"""Commands that run whatever version is newest, where packages are to be pinned."""

from __future__ import annotations

import pytest

from lockgate.upstreams.launch import SpawnFailed, resolve, unpinned
from lockgate.upstreams.sandbox.spec import SandboxSpec
from lockgate.upstreams.spec import StdioSpec
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import gateway

DIGEST = "sha256:" + "0" * 64
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOOSE = (
    "npx -y server",
    "npx server@latest",
    "npx server@^1.2.3",
    "npx server@1",
    "npx server@1.2",
    "npx @scope/server",
    "npx -p server@next bin",
    "npx --package=server bin",
    "npx github:owner/name",
    "npx git+https://example.com/x.git#main",
    "npm exec server",
    "npm x -- server",
    "bunx server",
    "bun x server",
    "pnpm dlx server",
    "yarn dlx server",
    "uvx server",
    "uvx server@latest",
    "uvx --from server bin",
    "uvx --from server>=1 bin",
    "uvx --from git+https://example.com/x bin",
    f"uvx --from git+https://example.com/x@{COMMIT[:7]} bin",
    "uv tool run server",
    "pipx run server",
    "pipx run --spec server==1.* server",
    "/usr/local/bin/npx server",
    "NPX.cmd server",
    "docker run -i --rm image",
    "docker run -i --rm image:latest",
    "docker run -i --rm -e A=b --name x image:1.2.3",
    "docker container run image",
    f"podman run -v /a:/b image@{DIGEST[:-1]}",
    "deno run npm:server",
    "deno run https://example.com/x.ts",
)
TIGHT = (
    "npx -y server@1.2.3",
    "npx -y @scope/server@1.2.3-beta.1",
    "npx -p server@1.2.3 bin",
    "npx ./local",
    f"npx git+https://example.com/x.git#{COMMIT}",
    "npm exec server@1.2.3",
    "npm run start",
    "uvx server@1.2.3",
    "uvx server==1.2",
    "uvx --from server==1.2.3 bin",
    f"uvx --from git+https://example.com/x@{COMMIT} bin",
    "uv run server.py",
    "pipx run server==1.2.3",
    f"docker run -i --rm -e A=b image@{DIGEST}",
    f"docker run -i --rm --env=A image:1@{DIGEST} --flag image",
    "docker compose up",
    "python server.py",
    "node index.js",
    "deno run server.ts",
)


def spec(line: str, *, pinned: bool = True) -> StdioSpec:
    command, *args = line.split()
    sandbox = SandboxSpec(level="strict", home="/", pinned=pinned)
    return StdioSpec(command=command, args=tuple(args), sandbox=sandbox)


@holds(15)
@pytest.mark.parametrize("line", LOOSE)
def test_what_is_not_settled_is_refused(line: str) -> None:
    assert unpinned(spec(line))
    with pytest.raises(SpawnFailed) as failed:
        resolve(spec(line), {"PATH": "/nowhere"})
    assert failed.value.reason == "package-unpinned"


@holds(15)
@pytest.mark.parametrize("line", TIGHT)
def test_what_is_settled_is_not(line: str) -> None:
    assert unpinned(spec(line)) is None


@pytest.mark.parametrize("line", LOOSE)
def test_nobody_is_refused_who_did_not_ask_for_it(line: str) -> None:
    with pytest.raises(SpawnFailed) as failed:
        resolve(spec(line, pinned=False), {"PATH": "/nowhere"})
    assert failed.value.reason == "start-failed"


@holds(15)
def test_the_server_stays_down_and_says_why() -> None:
    async def play() -> None:
        entry = {"command": "npx", "args": ["-y", "server"], "sandbox": "strict"}
        async with gateway({"s": entry}) as w:
            [server] = w.gateway.servers()
            assert server.phase == "backoff"
            assert server.code == "LG-742"
            assert "npx gets no exact version" in (server.error or "")
            assert "package@1.2.3" in (server.remedy or "")

    run(play())
