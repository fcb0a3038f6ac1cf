"""What is done about what passes in results, in arguments and in questions to people.

Must not know: how anything is found. The keys of a server win, one by one, over the gateway's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lockgate.config.limits import Section

Doing = Literal["off", "flag", "redact", "block"]
Noted = Literal["off", "flag", "block"]
Held = Literal["off", "flag", "quarantine", "block"]


def _personal(what: str) -> Doing:
    return Field(default="off", description=what)


class PersonalSettings(Section):
    """Personal data with a form; all is off by default, for much of it is honest business."""

    email: Doing = _personal("Addresses of mail.")
    phone: Doing = _personal("Numbers of phones, written internationally or as in North America.")
    card: Doing = _personal("Numbers of payment cards whose check digit is right.")
    iban: Doing = _personal("Numbers of bank accounts (IBAN) whose check digits are right.")
    ssn: Doing = _personal("Social security numbers of the United States, written 123-45-6789.")
    ip: Doing = _personal("Addresses of machines; most are nobody's.")


class ResultSettings(Section):
    """What servers say: results, failures, progress and log lines."""

    secrets: Doing = Field(
        default="redact",
        description=(
            "Credentials, private keys, passwords in URLs, and values named as secret: `redact` "
            "puts what it was in their place, `flag` counts and notes them, `block` refuses the "
            "whole result."
        ),
    )
    characters: Doing = Field(
        default="redact",
        description=(
            "Hidden characters: tags, zero-width, changes of direction, control sequences of "
            "terminals, private use. Emoji and scripts that need some of them keep theirs."
        ),
    )
    injection: Held = Field(
        default="flag",
        description=(
            "Marks of orders to the model. `flag` notes them in the result's `_meta`; "
            "`quarantine` holds the result until a person has read it and lets it go, once; "
            "`block` refuses results that honest servers send as well."
        ),
    )
    links: Doing = Field(
        default="off",
        description=(
            "In Markdown: images whose address carries data, links whose text is another address, "
            "`javascript:`, `data:` and `file:`. `redact` leaves the words and takes the address."
        ),
    )
    html: Literal["off", "sanitise"] = Field(
        default="off",
        description=(
            "`sanitise` takes scripts, comments, forms, styles and the addresses of images out of "
            "texts declared as text/html. Needs lockgate[html]."
        ),
    )
    html_tools: list[str] = Field(
        default=[],
        max_length=100,
        description="Tools (shell-style patterns) whose texts are HTML though nothing says so.",
    )
    errors: Doing = Field(
        default="off",
        description=(
            "What errors say about where a server runs: URLs, addresses, paths, stack traces. "
            "Worth `redact` where callers are not those who run the server."
        ),
    )
    borders: bool = Field(
        default=False,
        description=(
            "Put each text between borders with a word drawn anew, so that a model told of it can "
            "tell data from instructions. Clients that parse texts do not expect it."
        ),
    )
    personal: PersonalSettings = Field(
        default=PersonalSettings(), description="Personal data, kind by kind."
    )


class QuestionSettings(Section):
    """What servers ask people, by way of clients."""

    secrets: Noted = Field(
        default="block",
        description=(
            "Forms and sampling that ask for passwords, keys, card codes and the like. `block`: "
            "nobody is asked, and the server gets a no."
        ),
    )
    pages: Noted = Field(
        default="block",
        description=(
            "Pages a server wants opened: the message names their host, and what is odd about it; "
            "`block` also refuses addresses that hide whose they are."
        ),
    )
