"""What keeps others out, and servers within bounds.

Must not know: how items are shown.
"""

from __future__ import annotations

from typing import Any, Final

from lockgate.checklist.facts import Facts
from lockgate.checklist.item import Item, Verdict, holds, lacks, moot, said_of
from lockgate.config.access import RuleSettings
from lockgate.core.legible import visible
from lockgate.gateway.build import upstream_spec
from lockgate.upstreams.launch import unpinned
from lockgate.upstreams.spec import StdioSpec

_LOCAL: Final = "Only this machine reaches the gateway."
_NO_STDIO: Final = "No server is started here."
_SERVER: Final[dict[str, Any]] = {"command": "uvx", "args": ["mcp-server-time==2025.9.25"]}
_SERVERS: Final = {"mcpServers": {"time": _SERVER}}
PUBLIC: Final = {
    "host": "0.0.0.0",  # noqa: S104 - an example of what to judge
    "public_url": "https://mcp.example.com",
}
_KEYS: Final = {"keys_env": "LOCKGATE_KEYS"}


def _callers(facts: Facts) -> Verdict:
    if facts.config.identifies:
        return holds()
    return lacks("Nobody is asked who they are.") if facts.beyond else moot(_LOCAL)


def _tls(facts: Facts) -> Verdict:
    if not facts.beyond:
        return moot(_LOCAL)
    if facts.settings.tls.certificate is not None:
        return holds("The gateway has a certificate.")
    if (facts.settings.public_url or "").startswith("https://"):
        return Verdict("unknown", "`public_url` is https, so a proxy has to have the certificate.")
    return lacks("Tokens and results travel unencrypted.")


def _cors(facts: Facts) -> Verdict:
    wide = "*" in facts.settings.cors
    return lacks("Web pages of any origin may read answers.") if wide else holds()


def _rules(facts: Facts) -> Verdict:
    rules = facts.settings.access.rules
    if not rules:
        said = "Whoever gets in may use every tool."
        return lacks(said) if facts.beyond else moot(_LOCAL)
    granted = any(one.allow is not None for one in rules)
    return holds() if granted else lacks("The rules allow nothing to anybody.")


def _destructive(facts: Facts) -> Verdict:
    def restrains(rule: RuleSettings) -> bool:
        return any((rule.approve, rule.deny, rule.hide))

    some = any(restrains(one) for one in facts.settings.access.rules)
    return holds() if some else lacks("No rule asks a person about anything, or takes any away.")


def _pins(facts: Facts) -> Verdict:
    loose = [visible(name) for name in facts.servers if facts.config.pins(name) != "enforce"]
    return said_of(loose, "What these servers define may change unseen")


def _locked(facts: Facts) -> Verdict:
    file = facts.config.lock_file
    if file is not None and file.is_file():
        return holds(f"{file.name} is there.")
    return lacks("Nothing is approved yet: the first answer of each server will be believed.")


def _scanned(facts: Facts) -> Verdict:
    loose = facts.guards(lambda one: one.definitions.block == "refuse")
    return said_of(loose, "Poisoned definitions of these servers are not withheld")


def _arguments(facts: Facts) -> Verdict:
    loose = facts.guards(lambda one: one.arguments.mode == "enforce")
    return said_of(loose, "Arguments for these servers may be anything")


def _addresses(facts: Facts) -> Verdict:
    loose = facts.guards(lambda one: one.arguments.urls != "any")
    return said_of(loose, "URLs sent to these servers may lead to cloud metadata")


def _results(facts: Facts) -> Verdict:
    loose = facts.guards(lambda one: one.results.secrets in ("redact", "block"))
    return said_of(loose, "Secrets in what these servers answer reach the model")


def _orders(facts: Facts) -> Verdict:
    loose = facts.guards(lambda one: one.results.injection != "off")
    return said_of(loose, "Orders to the model in what these servers answer are not marked")


def _hidden(facts: Facts) -> Verdict:
    loose = facts.guards(lambda one: one.results.characters in ("redact", "block"))
    return said_of(loose, "Hidden characters in what these servers answer are passed on")


def _asked(facts: Facts) -> Verdict:
    loose = facts.guards(lambda one: one.questions.secrets == "block")
    return said_of(loose, "These servers may ask people for passwords")


def _told(facts: Facts) -> Verdict:
    if not facts.beyond:
        return moot(_LOCAL)
    loose = facts.guards(lambda one: one.results.errors in ("redact", "block"))
    return said_of(loose, "Errors of these servers say where they run")


def _secrets(facts: Facts) -> Verdict:
    return said_of(facts.written_secrets(), "Secrets stand in the file itself")


def _readable(facts: Facts) -> Verdict:
    noted = facts.noted("readable-secret")
    return lacks(noted[0]) if noted else holds()


def _cleartext(facts: Facts) -> Verdict:
    noted = facts.noted("cleartext")
    return lacks(" ".join(noted)) if noted else holds()


def _sandboxed(facts: Facts) -> Verdict:
    if not facts.stdio:
        return moot(_NO_STDIO)
    loose = [visible(name) for name, one in facts.stdio.items() if one.sandbox.level == "off"]
    return said_of(loose, "These servers may do whatever Lockgate may")


def _pinned(facts: Facts) -> Verdict:
    if not facts.stdio:
        return moot(_NO_STDIO)
    loose: list[str] = []
    for name, one in facts.stdio.items():
        spec = upstream_spec(name, one).transport
        if isinstance(spec, StdioSpec) and unpinned(spec) is not None:
            loose.append(visible(name))
    return said_of(loose, "These servers are whatever was published last")


def _examples(worse: dict[str, Any], better: dict[str, Any]) -> dict[str, Any]:
    return {"lacking": {**_SERVERS, **worse}, "having": {**_SERVERS, **better}}


def _guard(section: str, key: str, worse: str, better: str) -> dict[str, Any]:
    """Two configurations that differ in one setting of the guard."""
    lacking, having = ({"guard": {section: {key: value}}} for value in (worse, better))
    return _examples({"lockgate": lacking}, {"lockgate": having})


def _served(**one: Any) -> dict[str, Any]:
    return {"mcpServers": {"time": {**_SERVER, **one}}}


SECURITY: Final = (
    Item(
        id="callers",
        area="security",
        holds="Callers show who they are.",
        why="Otherwise whoever reaches the gateway calls every tool, with its credentials.",
        setting="`lockgate.auth.issuers` for tokens, or `lockgate.auth.keys_file` for API keys.",
        judge=_callers,
        **_examples({"lockgate": PUBLIC}, {"lockgate": {**PUBLIC, "auth": _KEYS}}),
    ),
    Item(
        id="tls",
        area="security",
        holds="What clients send is encrypted.",
        why="Tokens that anybody on the way can read are anybody's.",
        setting="`lockgate.tls.certificate`, or a proxy with one and `lockgate.public_url`.",
        ask="curl -sv https://mcp.example.com/health",
        judge=_tls,
        **_examples(
            {"lockgate": {"host": PUBLIC["host"], "auth": _KEYS}},
            {"lockgate": {**PUBLIC, "auth": _KEYS, "tls": {"certificate": "CERTIFICATE"}}},
        ),
    ),
    Item(
        id="cors",
        area="security",
        holds="Only web pages that are named may read answers.",
        why="A page that anybody visits would otherwise talk to the gateway from their browser.",
        setting="`lockgate.cors`: the origins of your own pages, or none.",
        judge=_cors,
        **_examples(
            {"lockgate": {"cors": ["*"]}}, {"lockgate": {"cors": ["https://app.example.com"]}}
        ),
    ),
    Item(
        id="rules",
        area="security",
        holds="Rules say who may use what.",
        why="One stolen token should not be worth every tool there is.",
        setting="`lockgate.access.rules` with `allow` and `who`.",
        judge=_rules,
        **_examples(
            {"lockgate": {**PUBLIC, "auth": _KEYS}},
            {"lockgate": {**PUBLIC, "auth": _KEYS, "access": {"rules": [{"allow": "time"}]}}},
        ),
    ),
    Item(
        id="destructive",
        area="security",
        holds="A person is asked before what cannot be undone, or it is out of reach.",
        why="A model that has read a hostile page does what the page says.",
        setting="A rule with `approve`, `deny` or `hide`, such as `annotations: "
        "{destructiveHint: true}`.",
        judge=_destructive,
        **_examples(
            {},
            {
                "lockgate": {
                    "access": {
                        "rules": [
                            {"allow": "*"},
                            {"approve": "*", "annotations": {"destructiveHint": True}},
                        ]
                    }
                }
            },
        ),
    ),
    Item(
        id="pins",
        area="security",
        holds="Tools that change after they were approved are withheld.",
        why="A server can be honest until it is trusted.",
        setting="`lockgate.pins: enforce`.",
        judge=_pins,
        **_examples({"lockgate": {"pins": "warn"}}, {"lockgate": {"pins": "enforce"}}),
    ),
    Item(
        id="locked",
        area="security",
        holds="What was approved is written down.",
        why="Without a lock file, whatever a server says first is believed.",
        setting="`lockgate lock CONFIG`, and commit the file beside the configuration.",
        judge=_locked,
    ),
    Item(
        id="scanned",
        area="security",
        holds="Poisoned definitions are kept from models.",
        why="A description is read by the model as if you had written it.",
        setting="`guard.definitions.block: refuse`.",
        judge=_scanned,
        **_guard("definitions", "block", "warn", "refuse"),
    ),
    Item(
        id="arguments",
        area="security",
        holds="Arguments are held to each tool's schema.",
        why="Few servers check what they get; the low-level ones of the second SDK do not.",
        setting="`guard.arguments.mode: enforce`.",
        judge=_arguments,
        **_guard("arguments", "mode", "warn", "enforce"),
    ),
    Item(
        id="addresses",
        area="security",
        holds="URLs among arguments do not lead to where clouds hand out credentials.",
        why="A server that fetches what it is told to fetches those, too.",
        setting="`guard.arguments.urls: metadata`, or `public`.",
        judge=_addresses,
        **_guard("arguments", "urls", "any", "public"),
    ),
    Item(
        id="results",
        area="security",
        holds="Secrets are taken out of results.",
        why="What a model has read, it can be made to repeat.",
        setting="`guard.results.secrets: redact`.",
        judge=_results,
        **_guard("results", "secrets", "flag", "redact"),
    ),
    Item(
        id="orders",
        area="security",
        holds="Orders to the model in results are marked.",
        why="Pages, tickets and mails are written by strangers.",
        setting="`guard.results.injection: flag`.",
        judge=_orders,
        **_guard("results", "injection", "off", "flag"),
    ),
    Item(
        id="hidden",
        area="security",
        holds="Characters that nobody sees are taken out of results.",
        why="They carry orders past the person who looks at the result.",
        setting="`guard.results.characters: redact`.",
        judge=_hidden,
        **_guard("results", "characters", "off", "redact"),
    ),
    Item(
        id="asked",
        area="security",
        holds="Servers cannot ask people for passwords.",
        why="A form looks as trustworthy as the client that shows it.",
        setting="`guard.questions.secrets: block`.",
        judge=_asked,
        **_guard("questions", "secrets", "flag", "block"),
    ),
    Item(
        id="told",
        area="security",
        holds="Errors do not say where servers run.",
        why="Addresses, paths and traces help nobody who calls, and everybody who attacks.",
        setting="`guard.results.errors: redact`.",
        judge=_told,
        **_examples(
            {"lockgate": {**PUBLIC, "auth": _KEYS}},
            {"lockgate": {**PUBLIC, "auth": _KEYS, "guard": {"results": {"errors": "redact"}}}},
        ),
    ),
    Item(
        id="secrets",
        area="security",
        holds="Secrets come from the environment.",
        why="A file that holds none can be committed, shown and shared.",
        setting="`${VARIABLE}` in place of the value, or `envFile`.",
        judge=_secrets,
        lacking=_served(env={"API_KEY": "abcdefgh12345678"}),
        having=_served(env={"API_KEY": "${HOME}"}),
    ),
    Item(
        id="readable",
        area="security",
        holds="Nobody else on this machine can read a secret in the file.",
        why="Backups and other accounts read what they may.",
        setting="chmod 600 on the configuration and its env files.",
        judge=_readable,
    ),
    Item(
        id="cleartext",
        area="security",
        holds="Credentials for servers elsewhere are encrypted on their way.",
        why="They are worth as much to whoever reads them as to you.",
        setting="`url` with https.",
        judge=_cleartext,
        lacking={
            "mcpServers": {
                "far": {"url": "http://far.example.com/mcp", "headers": {"X-Key": "${HOME}"}}
            }
        },
        having={
            "mcpServers": {
                "far": {"url": "https://far.example.com/mcp", "headers": {"X-Key": "${HOME}"}}
            }
        },
    ),
    Item(
        id="sandboxed",
        area="security",
        holds="Servers started here are kept in a sandbox.",
        why="A package that was taken over reads keys and calls home as any program could.",
        setting="`sandbox: standard`, or `lockgate.sandbox` for all; `lockgate check CONFIG` "
        "says what this machine can hold.",
        judge=_sandboxed,
        lacking=_served(sandbox="off"),
        having=_served(sandbox="standard"),
    ),
    Item(
        id="pinned",
        area="security",
        holds="Servers started here are an exact version.",
        why="The newest version is whatever its author, or a thief of their account, published.",
        setting="`args`: `PACKAGE==1.2.3` for uvx, `PACKAGE@1.2.3` for npx, a digest for docker.",
        judge=_pinned,
        lacking={"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}}},
        having=_SERVERS,
    ),
    Item(
        id="vulnerable",
        area="security",
        holds="No server has a known vulnerability.",
        why="An exact version stays as it is, also when it should not.",
        ask="uvx pip-audit, npm audit",
    ),
    Item(
        id="past",
        area="security",
        holds="No client reaches a server past the gateway.",
        why="What goes past it is neither looked through nor on record.",
        ask="lockgate inventory CONFIG --listeners",
    ),
)
