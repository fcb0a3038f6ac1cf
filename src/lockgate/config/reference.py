"""`docs/configuration.md`, written from the model: `python -m lockgate.config.reference`.

Must not know: anything about a setting that is not in the model or in the tables of this folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lockgate.config.access import (
    AccessSettings,
    ApprovalSettings,
    ArgumentSettings,
    RuleSettings,
    ThingsSettings,
    WhoSettings,
)
from lockgate.config.admin import AdminSettings
from lockgate.config.caching import CacheSettings, ServerCache, ToolCache
from lockgate.config.compact import CompactSettings
from lockgate.config.embedder import EmbedderSettings
from lockgate.config.endpoints import EndpointSettings
from lockgate.config.exposing import ExposeSettings
from lockgate.config.finding import KINDS
from lockgate.config.guard import GuardSettings
from lockgate.config.guard_arguments import ArgumentGuard, PlaceSettings
from lockgate.config.guard_outputs import OutputGuard
from lockgate.config.identity import (
    AuthSettings,
    ClaimSettings,
    IntrospectionSettings,
    IssuerSettings,
)
from lockgate.config.keys import ALIASES, CLIENT_SERVER_KEYS, CLIENT_TOP_KEYS
from lockgate.config.limits import GatewayLimits, ServerLimits
from lockgate.config.model import ServerConfig
from lockgate.config.outbound import LoginSettings, ProviderSettings, ServerAuth
from lockgate.config.presenting import ParameterView, ToolView
from lockgate.config.rates import RateSettings
from lockgate.config.resist import (
    BreakerSettings,
    CrashLoopSettings,
    EjectionSettings,
    HedgeSettings,
    RetrySettings,
    ToolSettings,
)
from lockgate.config.results import KeptResults
from lockgate.config.sandbox import SandboxSettings
from lockgate.config.schema import schema
from lockgate.config.searching import SearchSettings
from lockgate.config.settings import GatewaySettings, LogSettings, SessionSettings
from lockgate.config.tls import TlsSettings

PAGE: Final = Path("docs/configuration.md")

_INTRODUCTION: Final = """\
# Configuration

<!-- Generated from src/lockgate/config by `python -m lockgate.config.reference`. Do not edit. -->

A configuration is the file your MCP client has already, unmodified: JSON (comments and trailing
commas are fine) or the same keys in YAML. Servers stand under `mcpServers`, or under `servers` as
in VS Code. Keys of ours stand beside the standard ones; all have defaults. What concerns the
gateway itself stands under `lockgate`, which other clients ignore.

```json
{
  "mcpServers": {
    "time": { "command": "uvx", "args": ["mcp-server-time"] },
    "search": {
      "url": "https://search.example.com/mcp",
      "headers": { "Authorization": "Bearer ${SEARCH_TOKEN}" },
      "timeout": "30s"
    }
  },
  "lockgate": { "port": 4040 }
}
```

`lockgate config check FILE` says what is wrong, with line and remedy; `lockgate config show FILE`
prints what is in effect, with secrets masked; `lockgate config schema` prints the JSON Schema that
editors complete from; `lockgate config import` makes one file from those of the clients installed.

## Values

Times are seconds or have a unit: `0.5`, `"500ms"`, `"30s"`, `"5m"`, `"1h"`, `"1d"`. Sizes are
bytes or have a unit: `65536`, `"64KiB"`, `"4MiB"`, `"1GB"`. Relative paths start at the folder of
the configuration file.

In every string value, variables are expanded once, when the file is read:

| written | becomes |
|---|---|
| `${VAR}`, `${env:VAR}` | the environment variable; not set is an error |
| `${VAR:-default}` | the default when VAR is unset or empty |
| `${userHome}` | the home directory |
| `${workspaceFolder}` | the file's folder; of `.vscode/` and `.cursor/` the folder above |
| `${workspaceFolderBasename}` | the last part of it |
| `${pathSeparator}`, `${/}` | `/`, on Windows `\\` |
| `$${` | a literal `${` |
| `${input:name}` | an error: VS Code asks a person here |

What a variable holds is never expanded again, and nothing that a client or a server sends ever is.
"""


_TOOLS: Final = """\
Under each pattern, for example `"tools": {"search_*": {"rate": {"total": ["5/s"]}}}`."""
_RETRY: Final = "What is sent again when it failed. See [retries](policies/retry.md)."
_BREAKER: Final = "When a server is not asked for a while. See [breaker](policies/breaker.md)."
_SANDBOX: Final = """\
What a stdio server may touch, and under `lockgate.sandbox` what all may that do not say otherwise.
`"sandbox": "strict"` is short for `{"level": "strict"}`. See [sandbox](security/sandbox.md)."""
_CRASHES: Final = """\
When the program of a stdio server dies so often that it is left alone for longer. See
[supervision](concepts/supervision.md)."""
_EJECTION: Final = """\
When a replica (`urls`) that is up is left out. See [replicas](policies/replicas.md)."""
_HEDGE: Final = """\
When what only reads is asked a second time. See [hedging](policies/hedge.md)."""
_ACCESS: Final = """\
Who may use what. Once there is a rule, nothing is allowed but by one. See
[access](security/access.md)."""
_ENDPOINTS: Final = "Under each path. See [endpoints](concepts/endpoints.md)."
_RESULTS: Final = """\
Of the gateway (`lockgate.results`); but for the last five, of an endpoint and of a server as well,
whose keys count over it, one by one. See [results within a budget](context/results.md)."""
_COMPACT: Final = """\
Of the gateway (`lockgate.compact`), and of an endpoint (`lockgate.endpoints.PATH.compact`), which
counts alone there. See [tokens](context/tokens.md)."""
_ADMIN: Final = "A listener for operators. See [metrics](operations/metrics.md)."
_AUTH: Final = "Who may ask. See [who may ask](security/authentication.md)."
_OUTBOUND: Final = """\
How the gateway gets the tokens that a server wants to see. See
[credentials toward servers](security/upstream-credentials.md)."""
_GUARD: Final = """\
Of the gateway (`lockgate.guard`) and of a server (`guard`), whose keys win one by one. See
[traffic](security/traffic.md)."""
_PRESENT: Final = "Under each pattern. See [views](context/views.md)."
_EXPOSE: Final = """\
Of all endpoints, and of one under its path. `"expose": "search"` is short for
`{"mode": "search"}`. See [discovery](context/discovery.md)."""
_SEARCH: Final = """\
See [discovery](context/discovery.md)."""
_EMBEDDER: Final = """\
What is sent to whom is said in [discovery](context/discovery.md#by-a-service-of-your-choice)."""
_RATES: Final = """\
Of the gateway (`lockgate.rate`), of a server, or of tools under their pattern. Each list holds
rates that all apply: `["10/s burst 20", "1000/day"]`. `1000/day` is a window: never more in any 24
hours. With `burst` it is a bucket: so many at once, then at the rate. Units are `s`, `min`, `h`,
`day` and `week`, also with a number: `5/10s`. See [rate limits](policies/rate.md)."""


def page() -> str:
    """The page, as Markdown."""
    blocks = [
        _INTRODUCTION,
        *_section("Servers", ServerConfig, "Keys of one server, under its name.", ()),
        *_section("Servers: `limits`", ServerLimits, None, ("limits",)),
        *_section("Servers: `retry`", RetrySettings, _RETRY, ("retry",)),
        *_section("Servers: `breaker`", BreakerSettings, _BREAKER, ("breaker",)),
        *_section("Servers: `crash_loop`", CrashLoopSettings, _CRASHES, ("crash_loop",)),
        *_section("Servers: `ejection`", EjectionSettings, _EJECTION, ("ejection",)),
        *_section("Servers: `hedge`", HedgeSettings, _HEDGE, ("hedge",)),
        *_section("Servers: `tools`", ToolSettings, _TOOLS, ("tools",)),
        *_section("Servers: `tools.PATTERN.cache`", ToolCache, None, ("tools", "cache")),
        *_section("Servers: `cache`", ServerCache, None, ("cache",)),
        *_section("Servers: `sandbox`", SandboxSettings, _SANDBOX, ("sandbox",)),
        *_section("Servers: `auth`", ServerAuth, _OUTBOUND, ("auth",)),
        *_section("Servers: `auth.provider`", ProviderSettings, None, ()),
        *_section("Rates: `rate`", RateSettings, _RATES, ("rate",)),
        *_section("Gateway: `lockgate`", GatewaySettings, None, ("lockgate",)),
        *_section("Gateway: `lockgate.expose`", ExposeSettings, _EXPOSE, ("lockgate", "expose")),
        *_section("Gateway: `lockgate.search`", SearchSettings, _SEARCH, ("lockgate", "search")),
        *_section("Gateway: `lockgate.search.embedder`", EmbedderSettings, _EMBEDDER, ()),
        *_section("Gateway: `lockgate.tls`", TlsSettings, None, ("lockgate", "tls")),
        *_section("Gateway: `lockgate.auth`", AuthSettings, _AUTH, ("lockgate", "auth")),
        *_section("Gateway: `lockgate.auth.issuers`", IssuerSettings, None, ()),
        *_section("Gateway: `auth.issuers.claims`", ClaimSettings, None, ()),
        *_section("Gateway: `auth.issuers.introspection`", IntrospectionSettings, None, ()),
        *_section("Gateway: `lockgate.limits`", GatewayLimits, None, ("lockgate", "limits")),
        *_section("Gateway: `lockgate.cache`", CacheSettings, None, ("lockgate", "cache")),
        *_section("Gateway: `lockgate.access`", AccessSettings, _ACCESS, ("lockgate", "access")),
        *_access(),
        *_section("Gateway: `lockgate.logins`", LoginSettings, None, ("lockgate", "logins")),
        *_section("Gateway: `lockgate.endpoints.PATH`", EndpointSettings, _ENDPOINTS, ()),
        *_section("Gateway: `compact`", CompactSettings, _COMPACT, ("lockgate", "compact")),
        *_section("Gateway: `lockgate.endpoints.PATH.present`", ToolView, _PRESENT, ()),
        *_section("Gateway: `…present.PATTERN.parameters.NAME`", ParameterView, None, ()),
        *_section("Gateway: `lockgate.admin`", AdminSettings, _ADMIN, ()),
        *_section("Results: `results`", KeptResults, _RESULTS, ("lockgate", "results")),
        *_section("Guard: `guard`", GuardSettings, _GUARD, ("guard",)),
        *_section("Guard: `guard.arguments`", ArgumentGuard, None, ("guard", "arguments")),
        *_section("Guard: `guard.arguments.rules.PATTERN.NAME`", PlaceSettings, None, ()),
        *_section("Guard: `guard.outputs`", OutputGuard, None, ("guard", "outputs")),
        *_section("Gateway: `lockgate.log`", LogSettings, None, ("lockgate", "log")),
        *_section("Gateway: `lockgate.session`", SessionSettings, None, ("lockgate", "session")),
        _foreign(),
        _findings(),
    ]
    return "\n".join(blocks)


def _access() -> Iterator[str]:
    """Rules are in a list, so no path leads to their parts."""
    within = "Gateway: `lockgate.access"
    for title, model in (
        (f"{within}.rules[]`", RuleSettings),
        (f"{within}.rules[]`: after the verb", ThingsSettings),
        (f"{within}.rules[]`: `who` and `unless`", WhoSettings),
        (f"{within}.rules[]`: `args.NAME`", ArgumentSettings),
        (f"{within}.approval`", ApprovalSettings),
    ):
        yield from _section(title, model, None, ())


def _section(
    title: str, model: type[BaseModel], introduction: str | None, path: tuple[str, ...]
) -> Iterator[str]:
    document = (model.__doc__ or "").strip().splitlines()[0]
    yield f"## {title}\n\n{introduction or document}\n"
    yield "| key | type | default | |\n|---|---|---|---|"
    known = schema()["$defs"].get(model.__name__) or model.model_json_schema()
    definition = known["properties"]
    for name, field in model.model_fields.items():
        kind = "`stdio`, `http`" if name == "type" else _kind(definition[name])
        yield f"| `{name}` | {kind} | {_default(field)} | {field.description} |"
    yield ""


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, BaseModel):
        return "see below"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`"


def _kind(written: dict[str, Any]) -> str:
    if "$ref" in written or "allOf" in written:
        return "object"
    if "enum" in written:
        return ", ".join(f"`{one}`" for one in written["enum"])
    if "anyOf" in written:
        number = next((one for one in written["anyOf"] if "minimum" in one), None)
        if number is None and not any("pattern" in one for one in written["anyOf"]):
            kinds = [_kind(one) for one in written["anyOf"] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
        return f"{_unit(written)}{_bounds(number or {})}"
    if written.get("type") in ("integer", "number"):
        return f"number{_bounds(written)}"
    if isinstance(written.get("type"), list):
        return " or ".join(_kind({"type": one}) for one in written["type"])
    return {"array": "list", "boolean": "true or false"}.get(
        str(written.get("type")), str(written.get("type", "any"))
    )


def _unit(written: dict[str, Any]) -> str:
    patterns = "".join(str(one.get("pattern", "")) for one in written["anyOf"])
    return "size" if "KiB" in patterns else "time"


def _bounds(number: dict[str, Any]) -> str:
    low, above = number.get("minimum"), number.get("exclusiveMinimum")
    high, below = number.get("maximum"), number.get("exclusiveMaximum")
    if low is None and above is None:
        return ""
    least = f"above {above:.13g}" if low is None else f"{low:.13g}"
    return f", {least} to {high:.13g}" if below is None else f", {least} to below {below:.13g}"


def _foreign() -> str:
    aliases = ", ".join(f"`{key}` for `{target}`" for key, target in ALIASES.items())
    server = ", ".join(f"`{key}` ({owner})" for key, owner in CLIENT_SERVER_KEYS.items())
    top = ", ".join(f"`{key}` ({owner})" for key, owner in CLIENT_TOP_KEYS.items())
    return f"""\
## Keys of other clients

Understood as ours: {aliases}, and `enabled: false` for `disabled: true`.

Known and ignored, in a server: {server}.

Known and ignored, at the top level: {top}. Files that hold a client's whole state, such as
`.claude.json`, may have any other keys there.

Any other key is an error, because a slip of the pen in `timeout` or `headers` would otherwise go
unnoticed.
"""


def _findings() -> str:
    rows = "\n".join(f"| `{name}` | {kind} | {text} |" for name, (kind, text) in KINDS.items())
    return f"""\
## What `config check` finds

Errors keep Lockgate from starting; warnings and notes do not.

| finding | severity | meaning |
|---|---|---|
{rows}
"""


def main() -> None:
    """Write the page, to the path given or to its place in the repository."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
