"""What stdio servers may touch on this machine.

Must not know: how the system is made to hold them to it.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, field_validator

from lockgate.config.limits import MIB, Section
from lockgate.config.quantities import bytes_of, count, size

_HOST: Final = "write HOST:PORT, for example api.example.com:443 or [::1]:5432"


class SandboxSettings(Section):
    """What a stdio server may touch; a server's own keys count before those of `lockgate`."""

    level: Literal["off", "standard", "strict"] | None = Field(
        default=None,
        description=(
            "`standard`: only system files, its own folders and what is named here, nobody else's "
            "processes. `strict`: no network either but what is named here, and nothing learned "
            "about other processes. None: as `lockgate.sandbox` says; there it is `off`."
        ),
    )
    read: list[Annotated[Path, Field(strict=False)]] = Field(
        default=[],
        max_length=200,
        description="Files and folders it may read, and run programs from, beside its own.",
    )
    write: list[Annotated[Path, Field(strict=False)]] = Field(
        default=[],
        max_length=200,
        description="Files and folders it may also change. `cwd`, if set, is always among them.",
    )
    network: Literal["none", "loopback", "any"] | list[str] | None = Field(
        default=None,
        description=(
            "`none`, `any`, `loopback` (one of its own, with nobody else on it), or the only "
            'places it reaches: `["api.example.com:443", "127.0.0.1:5432"]`. None: `any` in '
            "`standard`, `none` in `strict`."
        ),
    )
    unix_sockets: bool = Field(
        default=False,
        description=(
            "Whether it may use sockets in the file system. Those of Docker, D-Bus or an SSH agent "
            "lead out of any sandbox."
        ),
    )
    home: Path | None = Field(
        default=None,
        strict=False,
        description=(
            "Its HOME, where its caches are. None: a folder of its own among Lockgate's data."
        ),
    )
    memory: Annotated[int | None, BeforeValidator(bytes_of)] = size(
        None,
        32 * MIB,
        1024 * 1024 * MIB,
        "What each of its processes may allocate. None: no ceiling but `limits.memory_bytes`.",
    )
    processes: int | None = count(
        None, 1, 100_000, "How many processes and threads it may have at once. None: no ceiling."
    )
    packages: Literal["any", "pinned"] | None = Field(
        default=None,
        description=(
            "`pinned`: npx, uvx, docker and the like are refused without an exact version or "
            "digest. None: `pinned` in `strict`, `any` in `standard`."
        ),
    )
    unenforced: Literal["refuse", "allow"] = Field(
        default="refuse",
        description=(
            "When this machine cannot enforce all of it: `refuse` to start the server, or `allow` "
            "it to run with what can be."
        ),
    )

    @field_validator("network")
    @classmethod
    def _check_network(
        cls, value: Literal["none", "loopback", "any"] | list[str] | None
    ) -> Literal["none", "loopback", "any"] | list[str] | None:
        for one in value if isinstance(value, list) else ():
            destination(one)
        return value

    def over(self, general: SandboxSettings) -> SandboxSettings:
        """These settings, and those of `general` for what is not written here."""
        written = {name: getattr(self, name) for name in self.model_fields_set}
        return general.model_copy(update=written)

    def anchored(self, folder: Path) -> SandboxSettings:
        """With relative paths below `folder`."""
        return self.model_copy(
            update={
                name: value
                for name, value in (
                    ("read", [folder / path.expanduser() for path in self.read]),
                    ("write", [folder / path.expanduser() for path in self.write]),
                    ("home", None if self.home is None else folder / self.home.expanduser()),
                )
                if name in self.model_fields_set
            }
        )


def sandbox_of(value: object) -> object:
    """`sandbox: strict` is `sandbox: {level: strict}`; `false` is `off`."""
    if value is False:
        value = "off"
    return {"level": value} if isinstance(value, str) else value


def destination(text: str) -> tuple[str, int]:
    """Host and port of a place on the network. Raises ValueError if it is none."""
    host, separator, port = text.strip().rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(_HOST)
    if host.startswith("[") and host.endswith("]"):
        host = str(ip_address(host[1:-1]))
    elif ":" in host or not host or not _named(host):
        raise ValueError(_HOST)
    return host.lower().rstrip("."), int(port)


def _named(host: str) -> bool:
    """Whether it may be a host's name: patterns are none, since each place is looked up."""
    labels = host.rstrip(".").split(".")
    return len(host) < 254 and all(
        label and len(label) < 64 and label.replace("-", "a").replace("_", "a").isalnum()
        for label in labels
    )
