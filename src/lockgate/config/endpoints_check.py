"""What is wrong with endpoints that the model alone cannot see.

Must not know: how they are served.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from lockgate.config.endpoints import MOST, NOT, PATH, EndpointSettings
from lockgate.config.finding import Findings
from lockgate.config.model import Config
from lockgate.config.nodes import Node
from lockgate.core.names import nearest
from lockgate.core.targets import divided

_OWN: Final = ("/health", "/ready")
_path: Final = re.compile(PATH)
_KEYS: Final = ("lockgate", "endpoints")


def review_endpoints(config: Config, tree: Node, findings: Findings) -> None:
    """Note everything that is found."""
    settings = config.lockgate
    check = _Check(config, tree, findings)
    if len(settings.endpoints) > MOST:
        check.note("endpoint-path", f"There are more than {MOST} endpoints.", "Join some.")
    for path, one in settings.endpoints.items():
        check.path(path)
        check.servers(path, one)
        for key in ("tools", "prompts", "resources"):
            check.patterns(path, key, getattr(one, key))
        check.patterns(path, "present", list(one.present))
        if one.expose is not None:
            check.patterns(path, "expose", one.expose.always)
    served = {settings.path: EndpointSettings(), **settings.endpoints}
    if all(one.disabled for one in served.values()):
        check.note("endpoint-none", "Every endpoint is disabled.", "Enable one.")


class _Check:
    def __init__(self, config: Config, tree: Node, findings: Findings) -> None:
        self._config = config
        self._tree = tree
        self._findings = findings

    def note(self, kind: str, summary: str, remedy: str, *path: str | int) -> None:
        where: Sequence[str | int] = (*_KEYS, *path)
        self._findings.add(kind, summary, remedy, self._tree.locate(where)[0])

    def path(self, path: str) -> None:
        if not _path.match(path) or len(path) > 256:
            self.note(
                "endpoint-path",
                f"{path[:256]!r} is no path.",
                "Begin with / and use letters, digits and . _ ~ - / only.",
                path,
            )
        settings = self._config.lockgate
        taken = {*_OWN, settings.sse_path, f"{settings.sse_path.rpartition('/')[0]}/messages"}
        beside = {f"{other}{own}" for other in settings.endpoints for own in ("/sse", "/messages")}
        if path in taken | beside or path.startswith("/.well-known"):
            self.note(
                "endpoint-path",
                f"The path {path} is served already, for something else.",
                "Choose another path.",
                path,
            )

    def servers(self, path: str, one: EndpointSettings) -> None:
        known = self._config.servers
        for number, name in enumerate(one.servers or ()):
            if name not in known:
                self._unknown(path, name, "servers", number)

    def patterns(self, path: str, key: str, patterns: Sequence[str]) -> None:
        for number, text in enumerate(patterns):
            server = divided(text.removeprefix(NOT)).server
            if not any(fnmatchcase(name, server) for name in self._config.servers):
                self._unknown(path, server, key, number)

    def _unknown(self, path: str, name: str, *place: str | int) -> None:
        known = self._config.servers
        guess = nearest(name, known)
        self.note(
            "endpoint-server",
            f"Endpoint {path}: there is no server {name!r}.",
            f"Did you mean {guess}?" if guess else f"There are: {', '.join(known)}.",
            path,
            *place,
        )
