"""From a file to a Config, with everything that is wrong on the way noted at its place.

Must not know: the command line, clients' folders, what the gateway does with a setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from lockgate.config import dialect, jsonc, yamlfile
from lockgate.config.check import review
from lockgate.config.envfile import read_env_file
from lockgate.config.expand import Expander, expand_node
from lockgate.config.finding import Findings
from lockgate.config.identity import AuthSettings
from lockgate.config.keys import SERVER_KEYS
from lockgate.config.model import Config, ServerConfig
from lockgate.config.nodes import Node
from lockgate.config.outbound_files import anchored_files, anchored_logins
from lockgate.config.pins import identities, lock_file
from lockgate.config.secrets import secrets_of
from lockgate.config.settings import GatewaySettings, SessionSettings
from lockgate.core.store import SQLITE
from lockgate.errors import ConfigError

__all__ = ["Loaded", "examine", "load", "read", "settle"]

MOST_BYTES: Final = 64 * 1024 * 1024
_YAML: Final = (".yaml", ".yml")
_URL: Final = re.compile(r"(?:https?|wss?):/")
"""How a URL begins once it is taken for a path, which has no empty parts."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one file.

    config    None when there are errors.
    findings  everything noted, errors first.
    tree      the model-shaped tree of nodes, expanded; None when the file cannot be read.
    """

    config: Config | None
    findings: Findings
    tree: Node | None


def load(path: str | Path, environ: Mapping[str, str]) -> Config:
    """The configuration in a file, expanded from `environ`.

    Raises:
        ConfigError: the file has errors; carries all findings.
    """
    loaded = examine(path, environ)
    if loaded.config is None:
        raise ConfigError(loaded.findings.ordered())
    return loaded.config


def examine(path: str | Path, environ: Mapping[str, str]) -> Loaded:
    """Read, expand, validate and review a file; never raises for what is in it."""
    file = Path(path)
    findings = Findings(file)
    root = read(file, findings)
    shaped = dialect.recognise(root, findings) if root is not None else None
    if shaped is None:
        return Loaded(None, findings, None)
    return settle(shaped, environ, findings)


def settle(shaped: Node, environ: Mapping[str, str], findings: Findings) -> Loaded:
    """Expand, validate and review a tree in the model's shape, read from `findings.file`."""
    tree, expander = _expand(shaped, environ, findings)
    config = _complete(_validate(tree, findings), tree, expander, findings)
    review(config, tree, environ, findings)
    return Loaded(None if findings.fatal else config, findings, tree)


def read(file: Path, findings: Findings) -> Node | None:
    """The tree of a file's text, or None after noting why there is none."""
    try:
        with file.open("rb") as handle:
            data = handle.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason, remedy = "it is not UTF-8 text", "Save it as UTF-8, if it is the right file."
        if isinstance(error, OSError):
            reason = error.strerror
            remedy = "Check its path and permissions, or let `lockgate config import` make a file."
            if _URL.match(str(file)):
                remedy = (
                    "A URL belongs into a file, as a server's `url`: "
                    '{"mcpServers": {"NAME": {"type": "http", "url": "URL"}}}. '
                    "`lockgate check URL` needs none."
                )
        findings.add("file-unreadable", f"The file cannot be read: {reason}.", remedy)
        return None
    if len(data) > MOST_BYTES:
        findings.add("file-unreadable", "The file is over 64 MiB.", "Is it the right file?")
        return None
    text = text.replace("\r\n", "\n")
    return (yamlfile if file.suffix.lower() in _YAML else jsonc).parse(text, findings)


def _expand(shaped: Node, environ: Mapping[str, str], findings: Findings) -> tuple[Node, Expander]:
    folder = findings.file.absolute().parent
    project = folder.parent if folder.name in (".vscode", ".cursor") else folder
    expander = Expander(environ, project)
    servers = {
        name: server if dialect.disabled(server) else expand_node(server, expander, findings)
        for name, server in shaped.members["servers"].members.items()
    }
    members = {"servers": shaped.members["servers"].with_members(servers)}
    if "lockgate" in shaped.members:
        members["lockgate"] = expand_node(shaped.members["lockgate"], expander, findings)
    return shaped.with_members(members), expander


def _validate(tree: Node, findings: Findings) -> Config:
    """The model of a tree, without the parts that do not fit it; those are noted.

    What fits is kept although the file is refused, so that all its errors are found in one run.
    """
    plain = tree.plain()
    for name, server in tree.members["servers"].members.items():
        if dialect.disabled(server):
            plain["servers"][name] = {"disabled": True}
    try:
        return Config.model_validate(plain)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            path: list[str | int] = list(problem["loc"])
            _note(path, problem["type"], problem["msg"], tree, findings)
            _leave_out(plain, path)
        findings.incomplete = True
        if not findings.fatal:  # what was left out must never be served without
            findings.add("invalid-value", "The file does not fit its schema.", _NO_PLACE, tree.at)
    try:
        return Config.model_validate(plain)
    except ValidationError:  # what is left of the settings does not fit together
        plain.pop("lockgate", None)
    return Config.model_validate(plain)


def _leave_out(plain: dict[str, Any], path: Sequence[str | int]) -> None:
    """Take the server, or the section of our own settings, that `path` is in out of a file."""
    outer = plain.get(str(path[0]))
    if len(path) > 1 and isinstance(outer, dict):
        cast("dict[str | int, Any]", outer).pop(path[1], None)
    else:
        plain.pop(str(path[0]), None)


_NO_PLACE: Final = "Compare it with docs/configuration.md, or with `lockgate config schema`."


_WORDING: Final = {
    "string_type": "a string is needed",
    "bool_type": "true or false is needed",
    "list_type": "a list is needed",
    "dict_type": "an object is needed",
    "model_type": "an object is needed",
    "int_type": "a whole number is needed",
    "float_type": "a number is needed",
    "int_from_float": "a whole number is needed",
}


def _note(
    loc: Sequence[str | int], kind: str, message: str, tree: Node, findings: Findings
) -> None:
    through = [step for step in loc if step != "[key]"]
    path = tree.written(through)
    at, _ = tree.locate(path)
    shown = _shown(path)
    node = tree.find(path)
    if kind == "extra_forbidden" and node is not None:
        known = _known_keys(through[:-1])
        dialect.unknown(str(path[-1]), node, known, f"`{_shown(path[:-1])}`", findings)
        return
    if findings.fatal and node is not None and node.unresolved:
        return  # the missing variable has been noted; what is left of it fits nothing
    got = f", not {node.kind}" if node is not None and kind in _WORDING else ""
    wording = _WORDING.get(kind) or message.removeprefix("Value error, ").removeprefix("Input ")
    remedy = _remedy(path, kind)
    findings.add("invalid-value", f"`{shown}`: {wording}{got}.", remedy, at)


def _shown(path: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in path)


def _remedy(path: Sequence[str | int], kind: str) -> str:
    if kind in _WORDING and path[-1] == "command":
        return 'Write the program as "command" and its arguments as a list in "args".'
    key = next((step for step in reversed(path) if isinstance(step, str)), "the file")
    return f"See `{key}` in docs/configuration.md."


def _known_keys(path: Sequence[str | int]) -> list[str]:
    """The keys of the model's object at a path."""
    if len(path) == 2 and path[0] == "servers":
        return list(SERVER_KEYS)
    models: list[type[BaseModel]]
    models = [ServerConfig] if path[0] == "servers" else [GatewaySettings]
    for step in path[2 if path[0] == "servers" else 1 :]:
        held = [model.model_fields[step] for model in models if step in model.model_fields]
        if held:
            models = [inner for one in held for inner in _models_in(one.annotation)]
        else:  # a number, a name of the file's own choice, or which of several models it is
            models = [one for one in models if step in _types(one)] or models
    return [key for model in models for key in model.model_fields]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a setting holds, or holds a list or an object of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for one in get_args(annotation) for found in _models_in(one)]


def _types(model: type[BaseModel]) -> tuple[object, ...]:
    """What `type` may be in a model that is told by it from others."""
    field = model.model_fields.get("type")
    return () if field is None else get_args(field.annotation)


def _complete(config: Config, tree: Node, expander: Expander, findings: Findings) -> Config:
    """Fill in what stands in other files, make paths absolute, collect the secrets."""
    folder = findings.file.absolute().parent
    servers = {
        name: _complete_server(name, server, folder, tree, findings)
        for name, server in config.servers.items()
    }
    keys_file = config.lockgate.session.keys_file
    if keys_file is not None:
        _keys_file(folder / keys_file, tree, findings)
        session = config.lockgate.session.model_copy(update={"keys_file": folder / keys_file})
        settings = config.lockgate.model_copy(update={"session": session})
        config = config.model_copy(update={"lockgate": settings})
    config = _anchored(config, folder, tree, findings)
    logins = anchored_logins(config.lockgate.logins, folder)
    config = config.model_copy(
        update={"lockgate": config.lockgate.model_copy(update={"logins": logins})}
    )
    complete = config.model_copy(update={"servers": servers})
    named = list(expander.used.items())
    texts: list[str] = []
    for server in servers.values():
        named += [*server.plain_env().items(), *server.plain_headers().items()]
        texts += [*server.args, *server.addresses]
        named += [("key", one.get_secret_value()) for one in _hidden(server.auth)]
    if config.lockgate.store is not None:
        texts.append(config.lockgate.store.get_secret_value())
    named += [("key", one.get_secret_value()) for one in _hidden(config.lockgate)]
    locked = lock_file(config.lockgate.pins_file, folder)
    if config.lockgate.pins_file is not None:
        _needs_folder(locked, ("lockgate", "pins_file"), tree, findings)
    placed = complete.placed(locked, identities(complete, tree))
    return placed.with_secrets(secrets_of(named, texts))


def _hidden(value: object) -> Iterator[SecretStr]:
    """Every secret in a part of the model."""
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _hidden(getattr(value, name))
    elif isinstance(value, dict):
        for one in cast("dict[str, object]", value).values():
            yield from _hidden(one)
    elif isinstance(value, list | tuple):
        for one in cast("Sequence[object]", value):
            yield from _hidden(one)


def anchored_auth(
    auth: AuthSettings, folder: Path, key: Sequence[str], tree: Node, findings: Findings
) -> AuthSettings:
    """The settings with absolute paths, that of the API keys of a file that is there."""
    issuers = [
        one.model_copy(update={"sign_in": anchored_files(one.sign_in, folder)})
        for one in auth.issuers
    ]
    auth = auth.model_copy(update={"issuers": issuers})
    if auth.keys_file is None:
        return auth
    path = folder / auth.keys_file.expanduser()
    if not path.is_file():
        where = (*key, "keys_file")
        said = f"`{_shown(where)}`: {path} is {'no file' if path.exists() else 'not there'}."
        remedy = "`lockgate keys new FILE NAME` makes it; or correct the path."
        findings.add("path-missing", said, remedy, tree.locate(where)[0])
    return auth.model_copy(update={"keys_file": path})


def _anchored(config: Config, folder: Path, tree: Node, findings: Findings) -> Config:
    """A file of a relative path lies beside the configuration."""
    auth = anchored_auth(config.lockgate.auth, folder, ("lockgate", "auth"), tree, findings)
    endpoints = dict(config.lockgate.endpoints)
    for path, one in endpoints.items():
        if one.auth is not None:
            where = ("lockgate", "endpoints", path, "auth")
            own = anchored_auth(one.auth, folder, where, tree, findings)
            endpoints[path] = one.model_copy(update={"auth": own})
    settings = config.lockgate.model_copy(update={"auth": auth, "endpoints": endpoints})
    config = config.model_copy(update={"lockgate": settings})
    sandbox = config.lockgate.sandbox.anchored(folder)
    settings = config.lockgate.model_copy(update={"sandbox": sandbox})
    config = config.model_copy(update={"lockgate": settings})
    tls = config.lockgate.tls
    named = {name: folder / path.expanduser() for name, path in tls.files.items()}
    for name, path in named.items():
        if not path.is_file():
            where = ("lockgate", "tls", name)
            said = f"`{_shown(where)}`: there is no file {path}."
            findings.add("path-missing", said, "Correct the path.", tree.locate(where)[0])
    settings = config.lockgate.model_copy(update={"tls": tls.model_copy(update=named)})
    config = config.model_copy(update={"lockgate": settings})
    audit = config.lockgate.audit
    if audit is not None:
        files = {"file": audit.file, "key_file": audit.key_file}
        placed = {name: folder / one.expanduser() for name, one in files.items() if one}
        for name, path in placed.items():
            _needs_folder(path, ("lockgate", "audit", name), tree, findings)
        settings = config.lockgate.model_copy(update={"audit": audit.model_copy(update=placed)})
        config = config.model_copy(update={"lockgate": settings})
    disk = config.lockgate.cache.disk
    if disk is not None:
        disk = folder / disk.expanduser()
        _needs_folder(disk, ("lockgate", "cache", "disk"), tree, findings)
        cache = config.lockgate.cache.model_copy(update={"disk": disk})
        settings = config.lockgate.model_copy(update={"cache": cache})
        config = config.model_copy(update={"lockgate": settings})
    search = config.lockgate.search.below(folder)
    if search.vectors is not None:
        _needs_folder(search.vectors, ("lockgate", "search", "vectors"), tree, findings)
    settings = config.lockgate.model_copy(update={"search": search})
    config = config.model_copy(update={"lockgate": settings})
    store = config.lockgate.store
    if store is None or not store.get_secret_value().startswith(SQLITE):
        return config
    path = folder / Path(store.get_secret_value().removeprefix(SQLITE)).expanduser()
    _needs_folder(path, ("lockgate", "store"), tree, findings)
    settings = config.lockgate.model_copy(update={"store": SecretStr(f"{SQLITE}{path}")})
    return config.model_copy(update={"lockgate": settings})


def _needs_folder(path: Path, key: Sequence[str], tree: Node, findings: Findings) -> None:
    # The file is made when it is first needed; where none can be made, nobody would be told.
    if not path.parent.is_dir():
        at, _ = tree.locate(key)
        said = f"`{_shown(key)}`: the folder {path.parent} does not exist."
        findings.add("path-missing", said, "Create it, or correct the path.", at)


def _keys_file(path: Path, tree: Node, findings: Findings) -> None:
    try:
        SessionSettings(keys_file=path).key_bytes()
    except OSError as error:
        _missing(f"session.keys_file {path}: {error.strerror}", findings, tree)
    except ValueError as error:
        _missing(f"session.keys_file {path}: {error}", findings, tree)


def _missing(what: str, findings: Findings, tree: Node) -> None:
    at, _ = tree.locate(("lockgate", "session", "keys_file"))
    findings.add("path-missing", f"{what}.", "Check the path and what is in the file.", at)


def _complete_server(
    name: str, server: ServerConfig, folder: Path, tree: Node, findings: Findings
) -> ServerConfig:
    changes: dict[str, Any] = {}
    if server.cwd is not None:
        changes["cwd"] = folder / server.cwd.expanduser()
    if server.sandbox.model_fields_set:
        changes["sandbox"] = server.sandbox.anchored(folder)
    if server.auth is not None:
        changes["auth"] = anchored_files(server.auth, folder)
    if server.envFile is not None:
        path = folder / server.envFile.expanduser()
        at, _ = tree.locate(("servers", name, "envFile"))
        changes["envFile"] = path
        changes["env"] = {**read_env_file(path, at, findings), **server.env}
    return server.model_copy(update=changes) if changes else server
