"""Who a server is: what is started for it, or what is connected to.

Must not know: configuration files. What is given here has its secrets taken out already. Of a
package that is fetched when the server starts, the version is known only where the arguments say
one; that they do not is a fact as well, and is recorded as `unpinned`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import urlsplit

UNPINNED: Final = "unpinned"


def of_command(command: str, args: Sequence[str]) -> dict[str, Any]:
    """The identity of a server that is started as a program."""
    identity: dict[str, Any] = {"command": command, "args": list(args)}
    reader = _READERS.get(PurePath(command).stem.lower())
    found = reader(args) if reader is not None else None
    if found is not None:
        identity["package"], identity["version"] = found[0], found[1] or UNPINNED
    return identity


def of_urls(urls: Sequence[str]) -> dict[str, Any]:
    """The identity of a server that is reached over the network: its origins, and nothing else.

    Paths and queries of addresses that are handed out often hold a secret.
    """
    return {"origins": sorted({_where(url) for url in urls})}


def _where(url: str) -> str:
    try:
        split = urlsplit(url)
        host = (split.hostname or "").lower()
        port = f":{split.port}" if split.port is not None else ""
    except ValueError:
        return "unreadable"
    host = f"[{host}]" if ":" in host else host
    return f"{split.scheme.lower()}://{host}{port}"


Package = tuple[str, str | None]


def _npm(args: Sequence[str]) -> Package | None:
    named = _after(args, {"-p", "--package"}, {"-c", "--call", "-w", "--workspace"})
    return None if named is None else _at(named)


def _at(named: str) -> Package:
    """`name@1.2.3`, where the name may begin with @."""
    name, mark, version = named[1:].partition("@")
    return named[0] + name, version if mark and version and version != "latest" else None


def _uv(args: Sequence[str]) -> Package | None:
    named = _after(args, {"--from"}, {"--with", "-p", "--python", "--index-url", "--index"})
    return None if named is None else _requirement(named)


def _pipx(args: Sequence[str]) -> Package | None:
    if not args or args[0] != "run":
        return None
    named = _after(args[1:], {"--spec"}, {"--pip-args", "--python", "--index-url"})
    return None if named is None else _requirement(named)


def _requirement(named: str) -> Package:
    """`name==1.2.3`, or as uv also has it, `name@1.2.3`."""
    for mark in ("==", "@"):
        name, found, version = named.partition(mark)
        if found:
            exact = version and version != "latest" and "*" not in version
            return name.strip(), version.strip() if exact else None
    return named, None


def _image(args: Sequence[str]) -> Package | None:
    if not args or args[0] != "run":
        return None
    named = _after(args[1:], set(), _DOCKER_VALUES)
    if named is None:
        return None
    name, mark, digest = named.partition("@")
    if mark:
        return name, digest
    # A tag can be moved to another image at any time, so it is no version.
    return named, None


_DOCKER_VALUES: Final = {
    "-e", "--env", "-v", "--volume", "--mount", "--name", "-p", "--publish", "--network", "--net",
    "-w", "--workdir", "-u", "--user", "--entrypoint", "--env-file", "-l", "--label", "-m",
    "--memory", "--cpus", "--add-host", "--cap-add", "--cap-drop", "--platform", "--pull", "-h",
    "--hostname", "--security-opt", "--tmpfs", "--ulimit", "--gpus", "--device", "--ip", "--dns",
}  # fmt: skip
"""Options of `docker run` whose value is an argument of its own."""


def _after(args: Sequence[str], naming: set[str], valued: set[str]) -> str | None:
    """What an option of `naming` names, or else the first argument that belongs to no option."""
    plain: str | None = None
    skip = False
    for number, arg in enumerate(args):
        option, given, value = arg.partition("=")
        if skip:
            skip = False
        elif option in naming:
            return value if given else next(iter(args[number + 1 :]), None)
        elif option in valued:
            skip = not given
        elif not arg.startswith("-"):
            plain = arg
            break
    return plain


_READERS: Final[Mapping[str, Callable[[Sequence[str]], Package | None]]] = {
    "npx": _npm,
    "bunx": _npm,
    "pnpx": _npm,
    "uvx": _uv,
    "pipx": _pipx,
    "docker": _image,
    "podman": _image,
}
"""How the arguments of programs that fetch what they start name a package."""
