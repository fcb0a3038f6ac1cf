"""How a server is launched and reached, judged: what it is given that it should not have.

Must not know: configuration files, or how programs are started. Values of the environment and of
headers are looked at and never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lockgate.core.legible import shortened, visible
from lockgate.guard.finding import Finding
from lockgate.guard.signals.kinds import LAUNCH_KINDS

_FETCHED: Final = re.compile(
    r"\b(?:curl|wget|fetch|iwr|invoke-webrequest)\b[^|;&]{0,300}"
    r"\|\s{0,4}(?:sudo\s{1,4})?(?:\S{0,40}/)?(?:ba|z|da|k)?sh\b"
    r"|\b(?:ba|z|da)?sh\s{1,4}<\(\s{0,4}(?:curl|wget)"
    r"|\b(?:iex|invoke-expression)\b[^;]{0,200}\b(?:iwr|irm|downloadstring|invoke-webrequest)\b",
    re.IGNORECASE,
)
_ENGINES: Final = frozenset({"docker", "podman", "nerdctl"})
_SWITCHES: Final[dict[str, str]] = {
    "--privileged": "privileged-container",
    "--cap-add=ALL": "privileged-container",
    "--pid=host": "host-container",
    "--ipc=host": "host-container",
    "--userns=host": "host-container",
    "--network=host": "host-container",
    "--net=host": "host-container",
    "--security-opt=seccomp=unconfined": "privileged-container",
    "--security-opt=apparmor=unconfined": "privileged-container",
}
_VALUED: Final = frozenset(
    {"--cap-add", "--pid", "--ipc", "--userns", "--network", "--net", "--security-opt"}
    | {"-v", "--volume", "--mount"}
)
_WHOLE: Final = frozenset({"/", "/etc", "/root", "/home", "/var", "/usr", "~", "$HOME", "${HOME}"})
_SOCKETS: Final = ("docker.sock", "podman.sock", "containerd.sock")


def launch(command: str, args: Sequence[str]) -> list[Finding]:
    """What a command line gives a server that it should not have."""
    whole = " ".join((command, *args))
    found: list[Finding] = []
    if _FETCHED.search(whole[:4000]):
        found.append(_finding("fetched-script", "args", whole))
    program = re.split(r"[/\\]", command)[-1].lower().removesuffix(".exe")
    if program in _ENGINES:
        found += [_finding(kind, "args", text) for kind, text in _container(args)]
    else:
        found += [
            _finding("whole-disk", f"args[{number}]", arg)
            for number, arg in enumerate(args)
            if arg.rstrip("/") in _WHOLE - {"/"} or arg == "/"
        ]
    if program in ("sudo", "doas", "su", "runas"):
        found.append(_finding("as-root", "command", whole))
    return found


def _container(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The kind and text of everything that opens a container to its host."""
    rest = iter(args)
    for arg in rest:
        written = arg
        if arg in _VALUED:
            written = f"{arg}={next(rest, '')}"
        kind = _SWITCHES.get(written.replace("=seccomp:", "=seccomp="))
        if kind is not None:
            yield kind, written
        flag, equals, value = written.partition("=")
        if equals and flag in ("-v", "--volume", "--mount"):
            yield from _mounted(flag, value)


def _mounted(flag: str, value: str) -> Iterator[tuple[str, str]]:
    source = value.partition(":")[0]
    if flag == "--mount":
        parts = {key: text for key, _, text in (one.partition("=") for one in value.split(","))}
        source = parts.get("source") or parts.get("src") or ""
    if source.endswith(_SOCKETS):
        yield "engine-socket", f"{flag} {value}"
    elif source and (source.rstrip("/") in _WHOLE or source == "/"):
        yield "host-mount", f"{flag} {value}"


def written_secret(key: str, name: str) -> Finding:
    """A secret whose value stands in the file; only its name is told."""
    return _finding("written-secret", f"{key}.{name}", "")


def _finding(kind: str, where: str, evidence: str) -> Finding:
    sort = LAUNCH_KINDS[kind]
    return Finding(
        id=kind,
        severity=sort.severity,
        summary=sort.meaning,
        where=where,
        evidence=visible(shortened(evidence, 200)),
        remedy=sort.remedy,
    )
