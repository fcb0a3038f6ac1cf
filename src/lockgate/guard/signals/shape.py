"""Signals that are no sentences: tags, headings, names of parameters, and what schemas leave open.

Must not know: where a definition came from, or what is done about it. Patterns here are anchored
and bounded, so that no text makes them slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, cast

from lockgate.guard.finding import Severity

_TAG: Final = re.compile(
    r"<\s{0,3}[/!|]{0,3}\s{0,3}(?:important|system|hidden|secrets?|instructions?|information|admin|"
    r"critical|urgent|im_start|im_end|assistant|developer|system[_ -]?(?:prompt|message|note|"
    r"update|override|instructions?)|important[_ -]?(?:note|instructions?)|tool[_ -]?instructions?|"
    r"private|internal|override|priority|sudo|begin[_ -]?instructions?|directive|mandatory|"
    r"hidden[_ -]?instructions?|user[_ -]?instructions?|ai[_ -]?(?:instructions?|only))"
    r"(?:\s[^<>]{0,80})?\s{0,3}[|/]{0,2}>|"
    r"\[/?INST\]|<<SYS>>|\{\{?[#/]?system[~]?\}\}?|\[\[?(?:system|hidden|instructions?)\]\]?",
    re.IGNORECASE,
)
_COMMENT: Final = re.compile(
    r"<!--\s{0,8}(?:system|important|instructions?|hidden|ai|note to (?:the )?(?:ai|model|"
    r"assistant|llm|agent)|assistant|agent|for (?:the )?(?:ai|model|llm|agent)|ignore|you)\b",
    re.IGNORECASE,
)
_AUTHORITY: Final = (
    "SYSTEM|SECURITY|ADMIN|ADMINISTRATOR|COMPLIANCE|PROTOCOL|EMERGENCY|POLICY|INTERNAL|OVERRIDE|"
    "DEVELOPER|ROOT|MAINTENANCE|LEGAL|MIGRATION|AUDIT|PRIVACY|HOST|OPERATIONAL|HIDDEN|SECRET|"
    "AI|AGENT|ASSISTANT|MODEL|LLM"
)
_EMPHASIS: Final = (
    "URGENT|CRITICAL|MANDATORY|TOOL|API|IMPORTANT|ATTENTION|NEW|DEPRECATION|CLIENT|USER|WORKFLOW|"
    "PRIORITY|SERVER"
)
_HAPPENED: Final = (
    "UPDATE|UPGRADE|ALERT|DIRECTIVES?|PATCH|OVERRIDE|MANDATE|MIGRATION|ADVISORY|BULLETIN|"
    "ENFORCEMENT"
)
_SAID: Final = (
    "NOTICE|REQUIREMENTS?|INSTRUCTIONS?|MESSAGE|POLICY|PROTOCOL|MAINTENANCE|PRIORITY|COMMAND|"
    "PRECONDITION|PREREQUISITE|STEP|CHECK|VERIFICATION|PROMPT|ORDER|RULES?|CHANGE|COMPLIANCE"
)
_SOME: Final = rf"(?: (?:{_AUTHORITY}|{_EMPHASIS}|[A-Z]{{3,14}}))?"
_ENDS: Final = r"\b(?=[^a-z]{0,24}[:\]\)*!.-])"
_EVENT: Final = re.compile(
    rf"\b(?:(?:{_AUTHORITY}){_SOME}|(?:{_EMPHASIS}) (?:{_AUTHORITY})) (?:{_HAPPENED}){_ENDS}"
    rf"|\bPRIORITY OVERRIDE{_ENDS}"
)
_HEADING: Final = re.compile(
    rf"\b(?:(?:{_AUTHORITY}){_SOME} (?:{_SAID})|(?:{_EMPHASIS}) (?:{_AUTHORITY}) (?:{_SAID})"
    rf"|(?:{_EMPHASIS}) (?:{_HAPPENED})){_ENDS}"
    r"|\b(?:BEGIN|START|END)(?: OF)?(?: [A-Z]{3,14})? (?:TASK|INSTRUCTIONS?|DOCUMENTATION|SYSTEM"
    r"|PROMPT|DESCRIPTION|CONTEXT)\b|^(?:SYSTEM|System|Assistant|ASSISTANT|User|USER): "
)
_IMAGE: Final = re.compile(r"!\[[^\]\n]{0,80}\]\(\s{0,3}https?://[^)\s?]{0,200}\?")
"""A Markdown image whose address has a query: whoever shows it sends the query there."""

_ADDRESSED: Final = re.compile(
    r"\b(?:(?:note|message|instructions?|attention|directive|reminder|important|notice)"
    r"(?: [a-z]{1,12})? (?:to|for) (?:the |all |any )?(?:ai|model|assistant|llm|agent|"
    r"language model)s?"
    r"|(?:ai|assistant|llm|agent|model) (?:instructions?|directive|note|must|should always))\b"
    r"[^.]{0,40}[:\]]",
    re.IGNORECASE,
)

_TAKES_CONTEXT: Final = re.compile(
    r"_{0,2}(?:full_|entire_|complete_|raw_|previous_|prior_|llm_|model_|ai_|agent_|user_|original_|"
    r"initial_)?(?:system_prompt|system_message|system_instructions?|conversation|"
    r"conversation_history|conversation_log|conversation_context|chat_history|chat_log|"
    r"message_history|messages_so_far|prompt_history|chain_of_thought|context_window|"
    r"tool_history|available_tools|tools_list|tool_list|llm_context|ai_context|model_context)_{0,2}\Z"
)
_WRAPPED: Final = re.compile(r"_{1,2}[a-z_]{2,40}_{0,2}\Z")
_SIDE: Final = frozenset({"sidenote", "side_note", "exfil", "stolen_data", "leak"})
_MODEL_NAME: Final = re.compile(
    r"(?:(?:calling_|caller_|current_|your_)(?:llm|ai|assistant|agent)_?(?:model_?)?"
    r"|(?:llm|ai)_?(?:model_?)?|(?:assistant|agent)_?model_?)(?:name|version|id|identity)\Z"
)


def tag(text: str) -> tuple[str, Severity]:
    """The gravest tag that sets instructions apart, and how grave; empty if there is none.

    A word in angle brackets amid a sentence (`host:<secret>@`) is a place for a value.
    """
    if "<" not in text and "[" not in text and "{" not in text:
        return "", "note"
    comment = _COMMENT.search(text)
    found = comment[0] if comment else ""
    grave: Severity = "block" if comment else "note"
    for match in islice(_TAG.finditer(text), _MOST_TAGS):
        if not found and (match[0] in _OF_PROMPTS or not _apart(text, match)):
            found, grave = match[0], "review"
        elif grave != "block" and match[0] not in _OF_PROMPTS and _apart(text, match):
            return match[0], "block"
    return found, grave


_MOST_TAGS: Final = 50
_VALUE: Final = re.compile(r"<[a-z_ -]{1,40}>\Z")


def _apart(text: str, match: re.Match[str]) -> bool:
    """Whether a tag begins a part of its own, or has an end."""
    if match[0].startswith("</"):
        return f"<{match[0][2:]}" not in text
    if match[0][0] == "<" and not _VALUE.match(match[0]):
        return True
    if f"</{match[0][1:-1]}" in text:
        return match[0] not in _OF_STRUCTURE
    before = text[max(0, match.start() - _BEFORE) : match.start()].rstrip(" \t")
    return match[0] not in _OF_STRUCTURE and (not before or before[-1] in "\n.!?")


_BEFORE: Final = 20
_OF_STRUCTURE: Final = frozenset(
    f"<{one}>"
    for one in (
        *("important", "critical", "priority", "mandatory", "private", "internal", "assistant"),
        *("important_note", "important_notes", "tool_instructions", "user_instructions"),
    )
)
"""In small letters, as people write who structure long descriptions."""


_OF_PROMPTS: Final = frozenset({"<instructions>", "</instructions>", "<information>"})
"""As people write who structure long prompts: not by itself a sign of anything."""


def heading(text: str) -> tuple[str, bool]:
    """The first heading that claims authority over the model; empty if there is none.

    And whether it speaks as whoever runs the model, of something that has happened: `SYSTEM
    UPDATE`. What only calls for attention (`IMPORTANT REQUIREMENTS`) is how people write.
    """
    match = _EVENT.search(text)
    if match:
        return match[0], True
    match = _HEADING.search(text) or _ADDRESSED.search(text)
    return (match[0] if match else ""), False


def beacon(text: str) -> str:
    """The first image that tells its server something; empty if there is none."""
    match = _IMAGE.search(text) if "![" in text else None
    return match[0] if match else ""


def carries_context(name: str) -> str:
    """`block` or `review` for the name of a parameter that carries the model's context away."""
    low = name.lower()
    if low in _SIDE:
        return "block"
    if _TAKES_CONTEXT.match(low):
        return "block" if _WRAPPED.match(low) else "review"
    return "review" if _MODEL_NAME.match(low) else ""


_HARMS: Final = re.compile(
    r"theft|steal|sabotage|fraud|hijack|exfiltrat|malware|ransomware|keylog|backdoor|phish|"
    r"embezzl|launder|blackmail|extort|poison|leak|breach|tamper|diversion|manipulation|injection|"
    r"counterfeit|falsif|forgery|espionage|misdiagnos|malpractice|scandal|ponzi|overdose|spoof",
    re.IGNORECASE,
)
_GUARDS: Final = re.compile(
    r"detect|prevent|protect|check|scan|report|alert|monitor|search|find|get|list|analy|lookup|test"
    r"|risk|score|info|fix|guard|track|count|history|audit|stop|block|find|recent|assess|database"
    r"|simulat|defen[cs]e|secur|avoid|verif|anti|query|show",
    re.IGNORECASE,
)


def harmful(name: str) -> bool:
    """Whether a name says that harm is done, and does not say that it is looked for."""
    short = name[:200]
    return _HARMS.search(short) is not None and _GUARDS.search(short) is None


_WRITES: Final = frozenset(
    {"delete", "remove", "drop", "destroy", "erase", "wipe", "purge", "write", "create", "update"}
    | {"insert", "edit", "modify", "overwrite", "send", "post", "execute", "exec", "kill", "move"}
    | {"rename", "upload", "publish", "deploy", "install", "uninstall", "transfer", "pay", "set"}
    | {"put", "patch", "append", "truncate", "reset", "revoke", "grant", "disable", "terminate"}
)
_FIRST: Final = re.compile(r"[a-z]+|[A-Z][a-z]*")


def contradicts(definition: Mapping[str, object]) -> bool:
    """Whether a tool that says it only reads is named after something that changes things."""
    hints = definition.get("annotations")
    name = definition.get("name")
    if not isinstance(hints, dict) or not isinstance(name, str):
        return False
    read_only = cast("dict[str, object]", hints).get("readOnlyHint") is True
    first = _FIRST.search(name[:100])
    return read_only and first is not None and first[0].lower() in _WRITES


_CODE: Final = frozenset(
    {"command", "cmd", "shell", "script", "code", "sql", "expression", "eval", "commands"}
)
_URL: Final = frozenset(
    {"url", "uri", "webhook", "webhook_url", "callback", "callback_url", "endpoint", "host"}
    | {"hostname", "base_url", "target_url", "image_url", "link", "proxy", "href", "urls"}
)
_PATH: Final = frozenset(
    {"path", "file", "filename", "filepath", "file_path", "directory", "dir", "folder", "paths"}
)
_BOUNDED: Final = ("enum", "const", "pattern", "$ref", "oneOf", "anyOf", "allOf")


def left_open(definition: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The kind and path of every parameter whose schema allows more than it should."""
    schema = definition.get("inputSchema")
    if not isinstance(schema, dict):
        return
    members = cast("dict[str, object]", schema)
    properties = members.get("properties")
    if not isinstance(properties, dict) or not properties:
        if members.get("additionalProperties", "type" not in members) not in (False, None):
            yield "open-schema", "inputSchema"
        return
    for name, one in cast("dict[str, object]", properties).items():
        kind = _open(name.lower(), one)
        if kind:
            yield kind, f"inputSchema.properties.{name}"


def _open(name: str, schema: object) -> str:
    kind = ""
    if name in _CODE:
        kind = "runs-code"
    elif name in _URL:
        kind = "open-url"
    elif name in _PATH:
        kind = "open-path"
    if not kind or not isinstance(schema, dict):
        return ""
    members = cast("dict[str, object]", schema)
    textual = members.get("type") in ("string", "array", None)
    return kind if textual and not any(one in members for one in _BOUNDED) else ""
