"""What can be wrong with a server over HTTP, each made on purpose, and what it has to be called.

Must not know: how any of it is found.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.doctor.patient import (
    CAPABILITIES,
    CLOSES,
    EVENTS,
    HANDSHAKES,
    HANGS,
    JSON,
    LISTS,
    META,
    MODERN,
    PAGE,
    Answer,
    Asked,
    Defect,
    Patient,
    acknowledged,
    dumped,
    error,
    event,
    result,
    streamed,
    text,
)

Change = Callable[[Asked, Answer], Answer]
NOBODY = "lockgate_check_no_such_tool"
FOREIGN = "https://lockgate-check.invalid"


def when(fits: Callable[[Asked], bool], change: Change | Answer) -> Defect:
    def defect(_: Patient, asked: Asked, answer: Answer) -> Answer:
        if not fits(asked):
            return answer
        return change if isinstance(change, Answer) else change(asked, answer)

    return defect


def at(method: str, change: Change | Answer, era: str = "") -> Defect:
    def fits(asked: Asked) -> bool:
        spoken = "modern" if asked.modern else "handshake"
        return asked.method == method and era in ("", spoken)

    return when(fits, change)


def always(change: Change | Answer) -> Defect:
    return when(lambda _: True, change)


def both(*defects: Defect) -> Defect:
    def defect(patient: Patient, asked: Asked, answer: Answer) -> Answer:
        for one in defects:
            answer = one(patient, asked, answer)
        return answer

    return defect


def but(**members: Any) -> Change:
    """Other members in the result, however it travels."""

    def change(asked: Asked, answer: Answer) -> Answer:
        found = plain(answer)
        if "result" not in json.loads(found.body):
            return answer
        changed = found.but(**members)
        return streamed(changed) if b"data:" in answer.body else changed

    return change


def plain(answer: Answer) -> Answer:
    """What is in an event stream of one event, as JSON."""
    if not answer.body.startswith(b"event:"):
        return answer
    body = answer.body.partition(b"data: ")[2].strip()
    return replace(answer, headers={**answer.headers, **JSON}, body=body)


def items(method: str, *changed: dict[str, Any]) -> Defect:
    """Another list."""
    return at(method, but(**{LISTS[method][0]: list(changed)}))


def tool(**members: Any) -> Defect:
    """One tool, with these members."""
    one = {"name": "t", "description": "d", "inputSchema": {"type": "object"}, **members}
    return items("tools/list", {key: value for key, value in one.items() if value is not None})


def capable(value: Any) -> Defect:
    """Other capabilities in both eras."""
    change = but(capabilities=value)
    return both(at("initialize", change), at("server/discover", change))


def refused(asked: Asked, code: int = -32603) -> Answer:
    return error(200, asked.id, code, "it failed")


def old_only(_: Patient, asked: Asked, answer: Answer) -> Answer:
    """2026-07-28 is not known."""
    return error(400, asked.id, -32600, "Missing session ID") if asked.modern else answer


def old_and_curt(_: Patient, asked: Asked, answer: Answer) -> Answer:
    """2026-07-28 is not known, and what is not known gets an empty 404."""
    return Answer(404) if asked.modern else answer


def new_only(_: Patient, asked: Asked, answer: Answer) -> Answer:
    """The handshake is not known."""
    data = {"supported": [MODERN]}
    return answer if asked.modern else error(400, asked.id, -32022, "unknown version", data)


def older(version: str) -> Defect:
    """A server whose newest revision is this one."""
    return both(
        old_only,
        at("initialize", but(protocolVersion=version)),
    )


def lost_sessions(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    """Every other request comes to a process that does not know the session."""
    lost = asked.method == "tools/list" and not asked.modern and patient.count % 2
    return error(404, asked.id, -32001, "no such session") if lost else answer


def same_session(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    patient.sessions.add("fixed")
    if asked.method == "DELETE":
        return answer
    if asked.method == "initialize":
        return replace(answer, headers={**answer.headers, "mcp-session-id": "fixed"})
    return answer


def odd_session(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    if asked.method != "initialize":
        return answer
    odd = f"h\xe9llo{patient.count}"
    patient.sessions.add(odd)
    return replace(answer, headers={**answer.headers, "mcp-session-id": odd})


def undead_session(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "DELETE":
        patient.sessions.add(asked.headers["mcp-session-id"])
    return answer


def without_session_check(asked_of: Callable[[Asked], bool]) -> Defect:
    """Whatever session is named, or none, it is served."""

    def defect(patient: Patient, asked: Asked, answer: Answer) -> Answer:
        if asked.modern or asked.method in ("initialize", "DELETE") or not asked_of(asked):
            return answer
        known = next(iter(patient.sessions), "x")
        patient.sessions.add(known)
        return patient.answer(replace(asked, headers={**asked.headers, "mcp-session-id": known}))

    return defect


def no_session_named(asked: Asked) -> bool:
    return "mcp-session-id" not in asked.headers


def unknown_session(asked: Asked) -> bool:
    return "no-such-session" in asked.headers.get("mcp-session-id", "")


def by_body(_: Patient, asked: Asked, answer: Answer) -> Answer:
    """Headers are not compared with the body; they have to be there."""
    if asked.method != "tools/call" or answer.status != 400 or not asked.modern:
        return answer
    named = asked.headers.get("mcp-name", "")
    if {"mcp-name", "mcp-method", "mcp-protocol-version"} <= asked.headers.keys() and named:
        return result(asked.id, {"content": [text("unknown tool")], "isError": True})
    return answer


def missing_allowed(_: Patient, asked: Asked, answer: Answer) -> Answer:
    """Headers are compared if they are there."""
    named = {"mcp-name", "mcp-method", "mcp-protocol-version"}
    if asked.method == "tools/call" and answer.status == 400 and not named <= asked.headers.keys():
        return result(asked.id, {"content": [text("unknown tool")], "isError": True})
    return answer


def endless(_: Patient, asked: Asked, answer: Answer) -> Answer:
    return but(nextCursor="again")(asked, answer) if asked.method == "tools/list" else answer


def steady_no_more(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    if asked.method != "tools/list" or patient.count % 2:
        return answer
    return but(tools=LISTS["tools/list"][1][::-1])(asked, answer)


def dies_of_cancellation(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    cancelled = any(one.method == "notifications/cancelled" for one in patient.asked)
    return CLOSES if cancelled and asked.method != "notifications/cancelled" else answer


def slow_start(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    return HANGS if patient.count > 6 else answer


def old_transport(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    if asked.verb == "GET":
        first = b"event: endpoint\ndata: http://other.example/messages?session_id=abcdefgh\n\n"
        return Answer(200, dict(EVENTS), first, held=True)
    return Answer(405)


def moved(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    """The endpoint is at another of the usual paths."""
    if asked.path == "/mcp":
        return Answer(404, {"content-type": "text/plain"}, b"Not Found")
    if asked.path == "/mcp/":
        return patient.answer(replace(asked, path="/mcp"))
    return answer


def any_origin(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    if asked.headers.get("origin") != FOREIGN or asked.verb == "OPTIONS":
        return answer
    kept = {name: value for name, value in asked.headers.items() if name != "origin"}
    return patient.answer(replace(asked, headers=kept))


def any_host(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    host = patient.origin.partition("//")[2]
    return patient.answer(replace(asked, headers={**asked.headers, "host": host}))


def any_page(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    if asked.verb != "OPTIONS" or asked.headers.get("origin") != FOREIGN:
        return answer
    allowed = {"access-control-allow-origin": FOREIGN, "access-control-allow-credentials": "true"}
    return Answer(204, allowed)


def without(*names: str) -> Change:
    """Headers left out of the answer."""

    def change(_: Asked, answer: Answer) -> Answer:
        kept = {name: value for name, value in answer.headers.items() if name not in names}
        return replace(answer, headers=kept)

    return change


def plus(**more: str) -> Change:
    """Other headers in the answer; `a_b` stands for `a-b`."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return lambda _, answer: replace(answer, headers={**answer.headers, **named})


def tagged(params: dict[str, Any]) -> Defect:
    def change(asked: Asked, answer: Answer) -> Answer:
        whole = {"_meta": {META + "subscriptionId": asked.id}, "notifications": {}, **params}
        return replace(answer, body=event(acknowledged(whole)))

    return at("subscriptions/listen", change)


def is_stream(asked: Asked) -> bool:
    return asked.verb == "GET" and not asked.modern


def is_preflight(asked: Asked) -> bool:
    return asked.verb == "OPTIONS"


def is_bad_json(asked: Asked) -> bool:
    return asked.verb == "POST" and not asked.json


def is_unknown(asked: Asked) -> bool:
    return asked.method.endswith("no_such_method")


def calls_nobody(asked: Asked) -> bool:
    return asked.method == "tools/call" and asked.params.get("name") == NOBODY


def rightly(asked: Asked) -> bool:
    """Whether the headers of a request of 2026-07-28 are as they should be."""
    return asked.headers.get("mcp-name") == NOBODY and asked.headers.get("mcp-method") is not None


def other_version(asked: Asked) -> bool:
    return "1999-12-31" in asked.body.decode()


def capitals(asked: Asked) -> bool:
    return any(name.isupper() for name in asked.names)


PAGE_HTML = Answer(200, {"content-type": "text/html"}, b"<html>Welcome</html>")
LEAK = 'Traceback (most recent call last): File "/srv/app.py", line 3'


# Finding → how it comes about, and what else is then found, of severity error.
DEFECTS: dict[str, tuple[Defect, frozenset[str]]] = {}


def made(kind: str, defect: Defect, *also: str) -> None:
    assert kind not in DEFECTS
    DEFECTS[kind] = (defect, frozenset(also))


made("http-none", always(Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n")))
made("http-silent", always(HANGS))
made("http-closed", always(CLOSES))
made("http-redirect", always(Answer(307, {"location": "/mcp/"})))
made("http-not-found", moved)
made("http-method", always(Answer(405)))
made("http-page", always(PAGE_HTML))
made("http-type", always(Answer(200, {"content-type": "text/plain"}, b"ok")))
made("http-broken", always(Answer(502, {"content-type": "text/html"}, b"<h1>Bad Gateway</h1>")))
made("http-busy", always(Answer(429, {"retry-after": "30"})))
made("http-forbidden", always(Answer(421, {}, b"Invalid Host header")))
made("http-accept", always(Answer(406)))
made("http-content-type", always(Answer(415)))
made("http-packed", always(plus(content_encoding="gzip")))
made("sse-endpoint", old_transport)
made("era-none", always(Answer(200, dict(JSON), dumped({"hello": "world"}))))
made(
    "initialize-refused",
    both(old_only, at("initialize", lambda asked, _: error(200, asked.id, -32602, "bad params"))),
)
made("initialize-invalid", both(old_only, at("initialize", but(serverInfo=None))))
made("initialized-refused", at("notifications/initialized", Answer(500)))
made("discover-broken", both(old_only, when(lambda one: one.modern, Answer(500))))
made(
    "discover-invalid",
    at("server/discover", but(capabilities=None)),
    "capability-invalid",
    "capability-undeclared",
)
made("handshake-only", old_only)
made("modern-only", new_only)
made("version-unknown", at("server/discover", but(supportedVersions=[MODERN, "v2"])))
made("version-echo", when(other_version, but(protocolVersion="1999-12-31")))
made("version-old", older("2025-03-26"))
made(
    "version-code",
    when(
        lambda one: one.modern and other_version(one),
        lambda one, _: error(400, one.id, -32600, "bad"),
    ),
)
made(
    "version-accepted",
    when(
        lambda one: one.modern and other_version(one),
        lambda one, _: result(one.id, {"supportedVersions": [MODERN]}),
    ),
)
made("capability-invalid", capable({"tools": True, "prompts": {}, "resources": {}}))
made("capability-none", capable({}), "capability-undeclared")
made("capability-undeclared", capable({"tools": {}, "prompts": {}}))
made("capability-idle", items("prompts/list"))
made("list-failed", at("prompts/list", lambda one, _: refused(one)))
made("list-invalid", items("tools/list", {"name": "bare"}))
made("list-empty", items("tools/list"))
made("list-undressed", at("prompts/list", but(ttlMs=None, cacheScope=None), "modern"))
made("list-twice", items("tools/list", *LISTS["tools/list"][1], LISTS["tools/list"][1][0]))
made("list-endless", endless, "list-twice")
made(
    "list-cursor",
    both(
        at("tools/list", but(nextCursor="second")),
        when(lambda one: "cursor" in one.params, lambda one, _: refused(one, -32602)),
    ),
)
made("list-unsteady", steady_no_more)
made("tool-schema", tool(inputSchema={"type": "string"}))
made(
    "tool-header",
    tool(inputSchema={"type": "object", "properties": {"a": {"x-mcp-header": "two words"}}}),
)
made("tool-name", tool(name="a b"))
made("tool-undescribed", tool(description=None))
made("eras-differ", at("prompts/list", but(prompts=[{"name": "other"}]), "modern"))
made("call-failed", when(lambda one: one.params.get("name") == "now", lambda a, _: refused(a)))
made(
    "call-error",
    when(
        lambda one: one.params.get("name") == "now",
        but(isError=True, content=[text("no credential")]),
    ),
)
made("call-invalid", when(lambda one: one.params.get("name") == "now", but(content="1")))
made(
    "call-output",
    when(lambda one: one.params.get("name") == "now", but(structuredContent={"now": "late"})),
)
made("ping-failed", at("ping", lambda asked, _: error(404, asked.id, -32601, "what?")))
made("cancel-refused", at("notifications/cancelled", Answer(400)))
made("cancel-breaks", dies_of_cancellation)
made("error-accepted", when(is_unknown, lambda one, _: result(one.id, {})))
made("error-method", when(is_unknown, lambda one, _: error(400, one.id, -32600, "bad")))
made("error-shape", when(is_unknown, Answer(404, {"content-type": "text/html"}, b"<h1>no</h1>")))
made("error-id", when(is_unknown, lambda one, _: error(404, "another", -32601, "no method")))
made("error-json", when(is_bad_json, Answer(500, {}, b"oops")))
made("error-json-code", when(is_bad_json, lambda one, _: error(400, None, -32600, "bad")))
made(
    "error-tool",
    when(
        lambda one: calls_nobody(one) and (rightly(one) or not one.modern),
        but(isError=None),
    ),
)
made(
    "error-resource",
    at("resources/read", lambda one, _: result(one.id, {"contents": []})),
)
made("error-leak", when(is_unknown, lambda one, _: error(404, one.id, -32601, LEAK)))
made("latency-closes", always(plus(connection="close")))
made("time-up", slow_start)
made("session-id", odd_session)
made("session-same", same_session)
made("session-lost", lost_sessions)
made("session-unneeded", without_session_check(no_session_named))
made("session-any", without_session_check(unknown_session))
made("session-code", when(unknown_session, lambda one, _: error(400, one.id, -32600, "no session")))
made("session-undead", undead_session)
made("session-end", at("DELETE", Answer(405), "handshake"))
made("session-end-fails", at("DELETE", Answer(500), "handshake"))
made("stream-none", when(is_stream, Answer(405)))
made("stream-type", when(is_stream, Answer(200, dict(JSON), b"{}")))
made("stream-silent", when(is_stream, HANGS))
made(
    "stream-cut",
    at("tools/list", lambda _, one: replace(one, body=b": bye\n\n"), "handshake"),
    "list-failed",
)
made(
    "stream-noise",
    at("tools/list", lambda _, a: replace(a, body=event(b"hello") + a.body), "handshake"),
)
made("stream-buffered", when(is_stream, without("x-accel-buffering")))
made("changes-none", capable({"tools": {}, "prompts": {}, "resources": {}}))
made("changes-unheard", when(is_stream, Answer(405)))
made("listen-refused", at("subscriptions/listen", lambda a, _: error(404, a.id, -32601, "what?")))
made("listen-silent", at("subscriptions/listen", lambda _, answer: replace(answer, body=b"")))
made("listen-untagged", tagged({"_meta": {}}))
made("listen-more", tagged({"notifications": {"everythingChanged": True}}))
made("subscribe-refused", at("resources/subscribe", lambda one, _: refused(one), "handshake"))
made("header-unchecked", by_body)
made("header-missing", missing_allowed)
made(
    "header-code",
    when(
        lambda one: calls_nobody(one) and one.modern and not rightly(one),
        lambda one, _: error(400, one.id, -32600, "bad"),
    ),
)
made("header-case", when(capitals, lambda one, _: error(400, one.id, -32020, "headers?")))
made(
    "header-base64",
    when(
        lambda one: one.headers.get("mcp-name", "").startswith("=?"),
        lambda one, _: error(400, one.id, -32020, "name header"),
    ),
)
made(
    "header-version",
    when(
        lambda one: not one.modern and one.headers.get("mcp-protocol-version") == "1999-12-31",
        lambda one, _: streamed(result(one.id, {"tools": []})),
    ),
)
made("get-served", at("GET", Answer(200, dict(JSON), b"{}"), "modern"))
made("origin-any", any_origin)
made("host-any", any_host)
made("cors-credentials", any_page)
made("cors-expose", always(without("access-control-expose-headers")))
made("cors-headers", when(is_preflight, plus(access_control_allow_headers="content-type")))
made("cors-methods", when(is_preflight, plus(access_control_allow_methods="GET")))
made(
    "cors-refused",
    when(lambda one: one.verb == "POST", without("access-control-allow-origin")),
)
made("cors-none", always(without("access-control-allow-origin")))

__all__ = ["CAPABILITIES", "DEFECTS", "HANDSHAKES", "PAGE"]
