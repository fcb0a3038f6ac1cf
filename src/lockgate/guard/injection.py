"""Marks of text that gives orders to the model that reads it.

Must not know: whose text it is, or what is done about it.

A result is data; who writes into it what a model is to do, writes in a few ways that can be told
from most honest text: marks of a chat's own format, a change of who speaks, orders to forget what
was said before, orders to keep something from the user, comments that no reader sees. Honest text
does some of this as well, and who knows this list can write around it: this is a hint to whoever
decides, not a decision (`docs/security/content.md` has the figures, source by source).

Text is read as it looks: in small letters, without hidden characters, and with letters that look
like others taken for those. Time is linear: each sign is tried where one of its words stands, and
reads a bounded stretch around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import msgspec

from lockgate.guard.anchors import Anchors
from lockgate.guard.characters import stripped
from lockgate.guard.sieve import LARGE, sieve
from lockgate.guard.text.confusable import unfolded

BEFORE: Final = 80
AFTER: Final = 160


class Sign(msgspec.Struct, frozen=True):
    """One way to give orders.

    words    one of them stands in it, in small letters.
    pattern  what the stretch around the word has to hold.
    begins   the pattern begins at the word.
    after    how much of what follows the word belongs to the stretch.
    """

    kind: str
    words: tuple[str, ...]
    pattern: str
    begins: bool = False
    after: int = AFTER


_MODEL: Final = (
    r"(?:ai|a\.i\.|llm|gpt(?:-?[0-9o]+)?|claude|gemini|copilot|chatgpt|language model|chatbot)"
)
_BEFORE: Final = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|system|original|initial|past)"
)
_ORDERS: Final = (
    r"(?:instruction|prompt|direction|directive|rule|guideline|message|command|context|constraint"
    r"|order|polic)"
)
_TELL: Final = r"(?:tell|mention|inform|reveal|disclos|notif|alert|show|report|say|let)"
_SECRETS: Final = (
    r"(?:seed phrase|recovery phrase|secret phrase|mnemonic|private key|password|cvv|cvc|pin code"
    r"|one-time code)"
)

SIGNS: Final = (
    Sign(
        "chat-format",
        (
            *("<|im_start", "<|im_end", "<|start_header", "<|eot_id", "<|system", "<|assistant"),
            *("<|user", "<|endoftext", "[inst]", "[/inst]", "<<sys>>", "<start_of_turn>"),
            *("<end_of_turn>", "<system>", "</system>", "<system-reminder>", "<assistant>"),
            *("<tool_result>", "</tool_result>", "<function_results>", "</function_results>"),
            *("<function_calls>", "</function_calls>", "<tool_response>", "</tool_response>"),
        ),
        r"",
    ),
    Sign(
        "order-tag",
        (
            *("<important>", "<important ", "<information>", "<instruction>", "<instructions>"),
            *("<secret>", "<hidden>", "<admin>", "<system_message>", "<system_prompt>"),
            *("### instruction", "### system", "[system]", "[admin]", "[instruction"),
        ),
        r"",
    ),
    Sign(
        "fake-speaker",
        ("system:", "human:", "assistant:", "system message", "system update", "system override"),
        r"(?:(?:^|[\n.!\"'>])\s{0,4}system\s{0,2}:\s{0,4}(?:you|ignore|new|from now|disregard|over)"
        r"|\n\n(?:human|assistant):\s|system (?:message|update|override)\s{0,2}[:\]-])",
    ),
    Sign(
        "fake-speaker",
        ("new user query", "i am the user", "important message from", "message from the user"),
        r"",
    ),
    Sign(
        "override",
        ("ignore", "disregard", "forget", "override", "overrule"),
        rf"(?:ignore|disregard|forget|overrid\w{{1,3}}|overrule)\W{{1,4}}(?:\w{{1,10}}\W{{1,3}}){{0,4}}?"
        rf"{_BEFORE}\W{{1,3}}(?:\w{{1,12}}\W{{1,3}}){{0,2}}?{_ORDERS}",
        begins=True,
    ),
    Sign(
        "override",
        ("ignore", "disregard", "forget"),
        r"(?:ignore|disregard|forget)\W{1,4}(?:all|everything|anything)\W{1,3}(?:\w{1,10}\W{1,3}){0,3}?"
        r"(?:told|said|above|before|instruct|been given|your (?:instruct|rules|train|guide))",
        begins=True,
    ),
    Sign(
        "override",
        ("adhere to", "must follow", "have to follow", "new instruction", "updated instruction"),
        r"(?:must (?:strictly )?(?:adhere to|follow) (?:the following|these|this) instruction"
        r"|(?:new|updated) instructions?\s{0,2}:)",
    ),
    Sign(
        "mode",
        ("developer mode", "jailbreak", "you are now", "do anything now", "safety filter"),
        r"(?:(?:enter|enable|activate|in|now)\W{1,3}(?:\w{1,8}\W{1,3}){0,2}?"
        r"(?:developer|jailbreak|dan)\W{0,2}mode"
        r"|you are now\W{1,3}(?:in |an? |the )?(?:dan\b|jailbr|unrestrict|unfilter|evil)"
        r"|do anything now"
        r"|(?:disable|ignore|bypass|without)\W{1,3}(?:\w{1,8}\W{1,3}){0,2}?safety filter)",
    ),
    Sign(
        "task",
        (
            *(
                "solve the task",
                "finish the new task",
                "task that i gave",
                "do the following first",
            ),
            *("task i gave you", "urgent new task", "your real task", "your new task"),
            *("your actual task", "instead of the task", "instead of your task"),
        ),
        r"",
    ),
    Sign(
        "addressed",
        (
            *("ai assistant", "ai agent", "ai model", "language model", " llm", "if you are an"),
            *("if you're an", "to you, gpt", "to you, claude", "attention ai", "dear ai"),
        ),
        rf"(?:(?:if|since|as) you(?:'re| are) (?:an? )?{_MODEL}"
        rf"|(?:attention|dear|message (?:for|to)|instructions? (?:for|to)|note to)\W{{1,3}}"
        rf"(?:all |the |any ){{0,2}}{_MODEL}"
        rf"|{_MODEL}(?: (?:assistant|agent|model)s?)?\W{{1,3}}(?:you )?"
        rf"(?:must|should|need to|are required|shall|please)\b|to you, (?:gpt|claude|gemini))",
    ),
    Sign(
        "concealment",
        (
            *("the user", "the human", "to anyone", "tell anyone", "explicitly mention"),
            *(
                "mention this",
                "mention that",
                "reveal this",
                "keep this secret",
                "keep this hidden",
            ),
        ),
        rf"(?:(?:do not|don't|dont|never|without)\W{{1,3}}(?:\w{{1,10}}ly\W{{1,3}})?"
        rf"{_TELL}\w{{0,6}}\W{{1,3}}(?:\w{{1,12}}\W{{1,3}}){{0,5}}?"
        rf"(?:user|human|anyone|that you|this)\b"
        rf"|(?:hide|conceal|keep)\W{{1,3}}(?:\w{{1,12}}\W{{1,3}}){{0,3}}?(?:from the (?:user|human)"
        rf"|secret from|hidden from))",
    ),
    Sign(
        "asks-secret",
        ("seed phrase", "recovery phrase", "cvv", "mnemonic", "your password", "private key"),
        rf"(?:^|[.!?:\n,;]|please|must|to|then|now)\W{{0,3}}(?:enter|provide|type|send|share|paste|give"
        rf"|confirm)\W{{1,3}}(?:\w{{1,10}}\W{{1,3}}){{0,5}}?{_SECRETS}",
        after=20,
    ),
)

_COMMENT: Final = "<!--"
_LONGEST_COMMENT: Final = 4000
_orders_in_comment: Final = re.compile(
    rf"\b{_MODEL}\b|\b(?:assistant|agent)s?\b|ignore|disregard|instruction|prompt"
    r"|you (?:must|should)"
)


def find(text: str) -> list[str]:
    """The kinds of signs in a text, each once, in the order they come."""
    said = plain(text)
    found: dict[str, None] = {}
    done = 0
    anchors, steps = _gathered()
    for word, at in anchors.within(said):
        if anchors.words[word] == _COMMENT:
            done = _comment(said, at, done, found)
            continue
        for kind, holds in steps[word]:
            if kind not in found and holds(said, at):
                found[kind] = None
    return list(found)


def words() -> Sequence[str]:
    """What a text in plain ASCII cannot do without, in small letters, to hold a sign."""
    return _gathered()[0].words


def hint(data: bytes) -> bool:
    """Whether JSON holds characters that look like others, so that it has to be looked at."""
    return not data.isascii() and _may_be_odd(data) and _odd_bytes.search(data) is not None


def plain(text: str) -> str:
    """The text as it looks: small, without what is hidden, with one blank where there are many."""
    if not text.isascii() and _may_be_odd(text.encode("utf-8", "surrogatepass")):
        text = unfolded(stripped(text)) if _odd.search(text) is not None else text
    text = text.lower()
    return _narrow(text) if "  " in text or "\t" in text else text


def _narrow(text: str) -> str:
    """With one blank where there are many, or a tab."""
    if "\xa0" in text:
        return _blank.sub(" ", text)
    text = text.replace("\t", " ")
    while "  " in text:  # half of what is too many goes each time, which is quicker than a pattern
        text = text.replace("  ", " ")
    return text


def _may_be_odd(data: bytes) -> bool:
    """Whether it is worth while to look; quickly told of a large text."""
    return len(data) < LARGE or sieve(_ODD_BEGINNINGS).holds(data)


_blank: Final = re.compile(r"[ \t\xa0]{2,}|\t")
_odd: Final = re.compile(
    "[\xa0\u0131\u0180-\u02af\u0370-\u0589\u13a0-\u13ff\u1d00-\u1dbf\u200b-\u200f\u202a-\u202e\u2060"
    "-\u206f\u2100-\u218f\u2460-\u24ff\u2c80-\u2cff\ua640-\ua7ff\uab30-\uabbf\ufb00-\ufb06\ufe00-\ufe0f"
    "\ufeff\uff01-\uffef\U0001d000-\U0001d7ff\U0001f100-\U0001f1ff\U000e0000-\U000e0fff]"
)
_odd_bytes: Final = re.compile(
    rb"[\xc6-\xca\xcd-\xd6]|\xc2\xa0|\xc4\xb1|\xe1[\x8e\x8f\xb4-\xb6]|\xe2(?:\x80[\x8b-\x8f\xaa-\xae]"
    rb"|\x81[\xa0-\xaf]|[\x84-\x86\x91-\x93\xb2\xb3])|\xea[\x99-\x9f\xac-\xae]|\xef[\xac\xb8\xbb-\xbf]"
    rb"|\xf0\x9d|\xf0\x9f[\x84-\x87]|\xf3"
)
"""What `unfolded` and `stripped` may make a sign of; in UTF-8, and a little more."""
_ODD_BEGINNINGS: Final = (
    *(bytes((one,)) for one in (*range(0xC6, 0xCB), *range(0xCD, 0xD7), 0xF3)),
    *(b"\xc2\xa0", b"\xc4\xb1", b"\xf0\x9d"),
    *(b"\xe1" + bytes((one,)) for one in (0x8E, 0x8F, 0xB4, 0xB5, 0xB6)),
    *(b"\xe2\x80" + bytes((one,)) for one in (*range(0x8B, 0x90), *range(0xAA, 0xAF))),
    *(b"\xe2\x81" + bytes((one,)) for one in range(0xA0, 0xB0)),
    *(b"\xe2" + bytes((one,)) for one in (*range(0x84, 0x87), *range(0x91, 0x94), 0xB2, 0xB3)),
    *(b"\xea" + bytes((one,)) for one in (*range(0x99, 0xA0), *range(0xAC, 0xAF))),
    *(b"\xef" + bytes((one,)) for one in (0xAC, 0xB8, *range(0xBB, 0xC0))),
    *(b"\xf0\x9f" + bytes((one,)) for one in range(0x84, 0x88)),
)
"""With one of these begins whatever is found by either."""


def _comment(text: str, at: int, done: int, found: dict[str, None]) -> int:
    """What a comment of HTML says; where it ends."""
    if at < done:
        return done
    end = text.find("-->", at, at + _LONGEST_COMMENT)
    if end < 0:
        return done
    if "comment" not in found and _orders_in_comment.search(text, at, end):
        found["comment"] = None
    return end


def _step(sign: Sign) -> Callable[[str, int], bool]:
    if not sign.pattern:
        return lambda text, at: True
    pattern, after = re.compile(sign.pattern), sign.after
    if sign.begins:
        return lambda text, at: pattern.match(text, at, at + after) is not None
    return lambda text, at: pattern.search(text, max(0, at - BEFORE), at + after) is not None


@cache
def _gathered() -> tuple[Anchors, list[list[tuple[str, Callable[[str, int], bool]]]]]:
    steps: dict[str, list[tuple[str, Callable[[str, int], bool]]]] = {_COMMENT: []}
    for sign in SIGNS:
        step = _step(sign)
        for word in sign.words:
            steps.setdefault(word, []).append((sign.kind, step))
    anchors = Anchors(steps)
    return anchors, [steps[word] for word in anchors.words]
