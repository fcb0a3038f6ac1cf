"""Servers made with FastMCP: their application, and what is put right in them.

Must not know: configuration, how they are served. FastMCP is imported nowhere; what it has given a
server is told by the names of classes. The low-level server inside is put right as any of the SDK.

| what                                        | how it is put right                                |
|---------------------------------------------|----------------------------------------------------|
| tools added, removed, shown or hidden while | clients are told by the listen stream, which the   |
| it runs: nobody is told                     | low-level server has been given                    |
| `ResponseCachingMiddleware` keeps answers   | it keeps those of tools that only read, and of     |
| of every tool for an hour                   | tools that are named in `included_tools`           |
| and lists for minutes, whatever changes     | it keeps none: Lockgate does, until they change    |
| `RetryMiddleware` runs any tool again       | it does so with tools that say they may be run     |
|                                             | twice, and no others                               |
| `ErrorHandlingMiddleware` turns what a tool | it leaves them as they are: results that the model |
| raises into errors of the protocol          | gets to see                                        |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from lockgate.errors import HostError
from lockgate.hosts import sdk
from lockgate.upstreams.inprocess import AsgiApp

if TYPE_CHECKING:
    from mcp.server.subscriptions import ServerEvent

Hook = Callable[[Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]
_NEEDS: Final = ("_mcp_server", "http_app", "local_provider", "middleware", "providers")
_MARK: Final = "_lockgate_prepared"
_CALL: Final = "tools/call"
_LISTS: Final = ("on_list_tools", "on_list_resources", "on_list_prompts")


def examine(server: Any) -> None:
    """See that a server has what `prepare` needs. Raises HostError."""
    missing = [one for one in _NEEDS if not hasattr(server, one)]
    if missing:
        raise HostError(
            f"A server of this version of FastMCP has no `{missing[0]}`.",
            "Use FastMCP 4.1 or later, or harden the server's http_app().",
            reason="host-prepared",
        )
    sdk.examine(server._mcp_server)  # noqa: SLF001 - there is no other way to it


def app(server: Any, path: str) -> AsgiApp:
    """The server's own application. Who may ask is judged before it, so not again in it."""
    return server.http_app(
        path=path,
        transport="http",
        stateless_http=False,
        json_response=False,
        host_origin_protection=False,
    )


def pages(server: Any) -> tuple[str, ...]:
    """The paths of its custom routes, those of mounted servers included."""
    routes: Any = getattr(server, "_get_additional_http_routes", list)
    found: list[Any] = routes()
    return tuple(sorted(str(getattr(one, "path", "?")) for one in found))


def prepare(server: Any) -> None:
    """Put right what the table above says, in this server and in those mounted on it."""
    bus = sdk.prepare(server._mcp_server)  # noqa: SLF001 - there is no other way to it
    for one in _with_mounted(server, set()):
        if bus is not None:
            _tell_changes(one, bus)
        for middleware in one.middleware:
            _put_right(middleware)


def _with_mounted(server: Any, seen: set[int]) -> Iterator[Any]:
    if id(server) in seen:
        return
    seen.add(id(server))
    yield server
    for provider in server.providers:
        # A namespace stands around what is mounted below it.
        mounted: Any = provider
        while mounted is not None and not _is(getattr(mounted, "server", None), "FastMCP"):
            mounted = getattr(mounted, "_inner", None)
        if mounted is not None:
            yield from _with_mounted(mounted.server, seen)


def _is(one: object, name: str) -> bool:
    return any(
        made.__name__ == name and made.__module__.partition(".")[0] == "fastmcp"
        for made in type(one).__mro__
    )


# Changes.


def _tell_changes(server: Any, bus: sdk.Bus) -> None:
    if getattr(server, _MARK, False):
        return
    setattr(server, _MARK, True)
    provider = server.local_provider
    for name in ("_add_component", "_remove_component"):
        if hasattr(provider, name):
            _telling(provider, name, bus, _about)
    for owner in (server, provider):
        for name in ("add_provider", "add_transform", "enable", "disable"):
            if hasattr(owner, name):
                _telling(owner, name, bus, _everything)


def _telling(
    owner: Any, name: str, bus: sdk.Bus, about: Callable[[object], list[ServerEvent]]
) -> None:
    """Have a method tell the bus when it is done; for this object alone."""
    method = getattr(owner, name)

    @wraps(method)
    def telling(*args: Any, **options: Any) -> Any:
        done = method(*args, **options)
        for event in about(args[0] if args else None):
            bus.tell(event)
        return done

    setattr(owner, name, telling)


def _about(component: object) -> list[ServerEvent]:
    """What list a component is on; it is told by its key where it is being removed."""
    from mcp.server import subscriptions  # noqa: PLC0415 - see the top

    key = component if isinstance(component, str) else str(getattr(component, "key", ""))
    kind = key.partition(":")[0]
    made = {
        "tool": subscriptions.ToolsListChanged,
        "prompt": subscriptions.PromptsListChanged,
        "resource": subscriptions.ResourcesListChanged,
        "template": subscriptions.ResourcesListChanged,
    }.get(kind)
    return _everything(component) if made is None else [made()]


def _everything(_: object) -> list[ServerEvent]:
    from mcp.server import subscriptions  # noqa: PLC0415 - see the top

    return [
        subscriptions.ToolsListChanged(),
        subscriptions.PromptsListChanged(),
        subscriptions.ResourcesListChanged(),
    ]


# Middleware.


def _put_right(middleware: Any) -> None:
    if getattr(middleware, _MARK, False):
        return
    if _is(middleware, "ResponseCachingMiddleware"):
        named = getattr(middleware, "_call_tool_settings", {}).get("included_tools")
        if not named:
            middleware.on_call_tool = _sparing(middleware.on_call_tool, _only_reads)
        for hook in _LISTS:
            setattr(middleware, hook, _passed_by)
    elif _is(middleware, "RetryMiddleware"):
        middleware.on_request = _sparing(middleware.on_request, _may_run_twice)
    elif _is(middleware, "ErrorHandlingMiddleware"):
        _leave_tools_errors(middleware)
    else:
        return
    setattr(middleware, _MARK, True)


def _sparing(hook: Hook, fits: Callable[[Any], bool]) -> Hook:
    """A hook that calls of other tools than those that fit pass by."""

    async def sparing(context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        if context.method == _CALL and not fits(await _annotations(context)):
            return await call_next(context)
        return await hook(context, call_next)

    return sparing


async def _passed_by(context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    return await call_next(context)


async def _annotations(context: Any) -> Any:
    """What the tool of a call says of itself; None: nothing, or there is no such tool."""
    around = context.fastmcp_context
    if around is None:
        return None
    try:
        tool = await around.fastmcp.get_tool(context.message.name)
    except Exception:
        return None
    return getattr(tool, "annotations", None)


def _only_reads(annotations: Any) -> bool:
    return getattr(annotations, "read_only_hint", None) is True


def _may_run_twice(annotations: Any) -> bool:
    return _only_reads(annotations) or getattr(annotations, "idempotent_hint", None) is True


def _leave_tools_errors(middleware: Any) -> None:
    transform = getattr(middleware, "_transform_error", None)
    if transform is None:
        return

    def left(error: Exception, context: Any) -> Exception:
        return error if context.method == _CALL else transform(error, context)

    middleware._transform_error = left  # noqa: SLF001 - it has no other place to say so
