"""The headers of revision 2026-07-28 that repeat parts of the body, written and judged.

Must not know: connections, who sends and who receives.

Source: specification 2026-07-28, basic/transports/streamable-http, "Request Metadata".
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from lockgate.core.raw import Raw
from lockgate.wire.revisions import LATEST_MODERN

VERSION: Final = b"mcp-protocol-version"
METHOD: Final = b"mcp-method"
NAME: Final = b"mcp-name"
SESSION: Final = b"mcp-session-id"
PARAM_PREFIX: Final = "mcp-param-"
ANNOTATION: Final = "x-mcp-header"

Path = tuple[str, ...]
Annotations = Mapping[str, Path]
"""Lower-case header name, `mcp-param-` and all → the chain of property names to its value."""

NO_ANNOTATIONS: Final[Annotations] = MappingProxyType({})
NAMED_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tools/call": "name",
        "prompts/get": "name",
        "resources/read": "uri",
        "tasks/get": "taskId",
        "tasks/update": "taskId",
        "tasks/cancel": "taskId",
    }
)
"""Method → the member of params that `Mcp-Name` repeats."""

_OPEN = "=?base64?"
_CLOSE = "?="
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_PRIMITIVE = ("string", "integer", "boolean")
_SAFE_INTEGER = 2**53 - 1


class BadHeader(Exception):
    """A header value that cannot be decoded; the text says why, without the value."""


class InvalidAnnotation(Exception):
    """An `x-mcp-header` annotation a conforming client must refuse, and with it the tool."""


def encode_value(value: str | int | bool) -> bytes:
    """A header value for a primitive: plain when it is visible ASCII, else the base64 form."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int):
        return b"%d" % value
    plain = value.isascii() and value.isprintable() and value.strip(" ") == value
    if plain and not (value.startswith(_OPEN) and value.endswith(_CLOSE)):
        return value.encode()
    return b"=?base64?%b?=" % b64encode(value.encode())


def decode_value(value: bytes) -> str:
    """The text a header value stands for; a value without both base64 markers stands for itself.

    Raises:
        BadHeader: characters no header may hold, or base64 that is not canonical UTF-8.
    """
    try:
        text = value.decode("ascii")
    except UnicodeDecodeError:
        raise BadHeader("holds characters outside visible ASCII") from None
    if text.startswith(_OPEN) and text.endswith(_CLOSE) and len(text) >= len(_OPEN + _CLOSE):
        return _decode_base64(text[len(_OPEN) : -len(_CLOSE)])
    if not text.isprintable() and not text.replace("\t", "").isprintable():
        raise BadHeader("holds control characters")
    return text


def _decode_base64(payload: str) -> str:
    try:
        decoded = b64decode(payload, validate=True)
        # Only the one canonical spelling: two readers must not see two values.
        if b64encode(decoded).decode() != payload:
            raise BadHeader("is not canonical base64")
        return decoded.decode()
    except (BadBase64, ValueError):
        raise BadHeader("is not base64 of UTF-8 text") from None


def param_headers(input_schema: Mapping[str, Any]) -> dict[str, Path]:
    """Header name (lower case, with `mcp-param-`) → property path, for a tool's input schema.

    Raises:
        InvalidAnnotation: an annotation breaks a rule of the section "Schema Extension".
    """
    found: dict[str, Path] = {}
    for path, schema in _positions(input_schema):
        if ANNOTATION not in schema:
            continue
        if not path:
            raise InvalidAnnotation(f"{ANNOTATION} stands where no chain of properties leads.")
        name = PARAM_PREFIX + _annotated(".".join(path), schema).lower()
        if name in found:
            raise InvalidAnnotation(f"{name} is claimed by more than one property.")
        found[name] = path
    return found


def _annotated(where: str, schema: Mapping[str, Any]) -> str:
    name = schema[ANNOTATION]
    if not isinstance(name, str) or not name or not _TOKEN.issuperset(name):
        raise InvalidAnnotation(f"{ANNOTATION} of {where} is not a header name.")
    if schema.get("type") not in _PRIMITIVE:
        raise InvalidAnnotation(f"{ANNOTATION} of {where} needs type string, integer or boolean.")
    return name


_ONE: Final = frozenset(
    {
        "items",
        "contains",
        "additionalItems",
        "unevaluatedItems",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "contentSchema",
        "not",
        "if",
        "then",
        "else",
    }
)
_LIST: Final = frozenset({"items", "allOf", "anyOf", "oneOf", "prefixItems"})
_MAP: Final = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions"})


def _positions(root: Mapping[str, Any]) -> Iterator[tuple[Path | None, Mapping[str, Any]]]:
    """Every schema in `root`, with the chain of property names leading to it, None off the chain.

    Data keywords (default, const, enum, examples) are not schemas, and references are not
    followed, so this ends for every input.
    """
    waiting: list[tuple[Path | None, object]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, Mapping):
            continue
        schema = cast("Mapping[str, Any]", node)
        yield path, schema
        for keyword, value in schema.items():
            waiting.extend(_below(path, keyword, value))


def _below(path: Path | None, keyword: str, value: object) -> list[tuple[Path | None, object]]:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        if keyword == "properties":
            return [
                (None if path is None else (*path, name), below) for name, below in members.items()
            ]
        if keyword in _MAP:
            return [(None, below) for below in members.values()]
        return [(None, members)] if keyword in _ONE else []
    if isinstance(value, list) and keyword in _LIST:
        return [(None, below) for below in cast("list[object]", value)]
    return []


def request_headers(
    method: str, params: Raw, annotations: Annotations = NO_ANNOTATIONS
) -> list[tuple[bytes, bytes]]:
    """The headers of a request: version, method, name where the method has one, parameters."""
    headers = [(VERSION, LATEST_MODERN.encode()), (METHOD, encode_value(method))]
    named_by = NAMED_BY.get(method)
    if named_by is not None:
        name = params.get(named_by)
        if isinstance(name, str):
            headers.append((NAME, encode_value(name)))
    if annotations:
        for header, path in annotations.items():
            value = _primitive(_value_at(params, path))
            if value is not None:
                headers.append((header.encode(), encode_value(value)))
    return headers


def check(
    headers: Mapping[bytes, bytes],
    repeated: frozenset[bytes],
    method: str,
    params: Raw,
    annotations: Annotations = NO_ANNOTATIONS,
) -> str | None:
    """Judge the headers of a request against its body; the version header is not judged here.

    Returns what is wrong, or None. Headers are keyed by lower-case name, their values without
    surrounding white space.
    """
    if repeated and (problem := _repeated(repeated, annotations)) is not None:
        return problem
    said = headers.get(METHOD)
    if said is None:
        return "The Mcp-Method header is missing."
    if said != method.encode():
        return "The Mcp-Method header does not match the method in the body."
    named_by = NAMED_BY.get(method)
    if named_by is not None:
        named, name = headers.get(NAME), params.get(named_by)
        if not _plainly(named, name):
            problem = _check_value("Mcp-Name", named, name)
            if problem is not None:
                return problem
    if not annotations:
        return None
    for header, path in annotations.items():
        problem = _check_value(header, headers.get(header.encode()), _value_at(params, path))
        if problem is not None:
            return problem
    return None


def _repeated(repeated: frozenset[bytes], annotations: Annotations) -> str | None:
    for name in sorted(repeated):
        if name in {VERSION, METHOD, NAME} or name.decode("latin-1") in annotations:
            return f"The {name.decode()} header is sent more than once."
    return None


def _plainly(said: bytes | None, value: object) -> bool:
    """Whether the header is the value itself, as nearly every one is."""
    return (
        isinstance(value, str)
        and said == value.encode()
        and value.isascii()
        and value.isprintable()
        and not value.startswith(_OPEN)
    )


def _check_value(name: str, said: bytes | None, value: object) -> str | None:
    if value is None:
        return None if said is None else f"The {name} header repeats a value the body has not."
    if said is None:
        return f"The {name} header is missing."
    if _plainly(said, value):
        return None
    wanted = _primitive(value)
    if wanted is None:
        return f"The {name} header cannot match: the body's value is not a primitive."
    try:
        text = decode_value(said)
    except BadHeader as error:
        return f"The {name} header {error}."
    if isinstance(wanted, str):
        same = text == wanted
    elif isinstance(wanted, bool):
        same = text == ("true" if wanted else "false")
    else:
        same = _integer(text) == wanted
    return None if same else f"The {name} header does not match the body."


def _integer(text: str) -> int | None:
    digits, _, zeros = text.partition(".")
    plain = digits.removeprefix("-")
    if not (plain.isascii() and plain.isdigit() and len(plain) <= 16) or zeros.strip("0"):
        return None
    return int(digits)


def _value_at(params: Raw, path: Path) -> object:
    node: object = params.get("arguments")
    for name in path:
        if not isinstance(node, Mapping):
            return None
        node = cast("Mapping[str, object]", node).get(name)
    return node


def _primitive(value: object) -> str | int | bool | None:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
        return value
    return None
