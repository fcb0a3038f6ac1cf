"""Every kind of finding a scan of a definition can have: what it means, and what to do.

Must not know: how anything is found. Documentation, SARIF output and tests read this table.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate.guard.finding import Severity


class Sort(msgspec.Struct, frozen=True):
    """One kind.

    severity  its usual one; decoding or hiding a text can only make it graver.
    meaning   one sentence, true of every finding of the kind.
    """

    severity: Severity
    meaning: str
    remedy: str


_ASK: Final = "Do not use this tool before its author has explained the sentence."
_READ: Final = "Read the sentence; pin the definition once you are content with it."
_LOOK: Final = "Look at it with the invisible characters shown, and ask the author to remove them."
_TYPE: Final = "Say in the schema what is allowed, or limit it in the gateway's policy."

KINDS: Final[dict[str, Sort]] = {
    "hidden-characters": Sort(
        "block", "Characters that nobody sees stand in a text that a model reads.", _LOOK
    ),
    "hidden-message": Sort("block", "Characters that nobody sees spell a message.", _LOOK),
    "terminal-codes": Sort(
        "block", "Control codes would change what a person sees in a terminal.", _LOOK
    ),
    "private-characters": Sort(
        "review", "Characters without an agreed meaning stand in the text.", _LOOK
    ),
    "look-alike-letters": Sort(
        "review", "Letters of another script stand in for Latin ones.", _LOOK
    ),
    "encoded-text": Sort(
        "review", "Readable text is written in an encoding that only a machine reads.",
        "Decode it and read it; ask the author why it is encoded.",
    ),
    "instruction-tag": Sort(
        "block", "A tag sets a part apart as instructions for the model.", _ASK
    ),
    "image-beacon": Sort("review", "An image tells its server something when shown.", _READ),
    "instruction-heading": Sort(
        "review", "A heading addresses the model with authority it does not have.", _READ
    ),
    "concealment": Sort("block", "The model is told to keep something from a person.", _ASK),
    "kept-from-view": Sort(
        "block", "It is said that a step does not appear in what a person sees.", _ASK
    ),
    "silent-action": Sort("block", "Something is to be done without being seen.", _ASK),
    "secret-taken": Sort(
        "block", "Keys, passwords or private files are to be read or handed over.", _ASK
    ),
    "sent-away": Sort(
        "block", "Data are to be sent to an address written in the definition.", _ASK
    ),
    "override": Sort("block", "The model is told to set aside its instructions.", _ASK),
    "forced-command": Sort("block", "A shell command is to be run with or before calls.", _ASK),
    "false-speaker": Sort(
        "block", "The definition speaks as if it were the user or the system.", _ASK
    ),
    "covert-harm": Sort("block", "Harm is to be done unseen.", _ASK),
    "context-parameter": Sort(
        "block", "A parameter is made to carry the prompt or the conversation away.", _ASK
    ),
    "context-collected": Sort(
        "review", "A parameter may carry the conversation or the model's reasoning away.", _READ
    ),
    "without-consent": Sort("review", "Something happens without a person's consent.", _READ),
    "untold": Sort(
        "review", "The model is told to leave something unsaid to a person.", _READ
    ),
    "unshown-step": Sort("review", "Something is said not to be shown.", _READ),
    "disguise": Sort("review", "Something is to look like something else.", _READ),
    "secret-asked": Sort("review", "Keys, passwords or private files are asked for.", _READ),
    "context-taken": Sort(
        "review", "The prompt, the conversation or the list of tools is asked for.", _READ
    ),
    "asks-which-model": Sort("review", "The tool asks which model calls it.", _READ),
    "context-sent": Sort(
        "block", "The prompt or the conversation is to be handed over.", _ASK
    ),
    "tampering": Sort(
        "block", "What other tools are given is to be changed, unseen or to a fixed address.", _ASK
    ),
    "changes-others": Sort("review", "Something of other tools is to be changed.", _READ),
    "forced-value": Sort("review", "An argument is to have a value whatever was asked.", _READ),
    "file-asked": Sort("review", "A file is to be read or written beside the tool's work.", _READ),
    "personal-data-sent": Sort("review", "Data about people are to be sent somewhere.", _READ),
    "installs": Sort("review", "Something has to be installed before tools are called.", _READ),
    "removes": Sort("review", "Something has to be removed beside the tool's work.", _READ),
    "freed": Sort("review", "The model is to act without its restrictions.", _READ),
    "standing-order": Sort("review", "Something is to be done with every request.", _READ),
    "runs-command": Sort("review", "A shell command is to be run.", _READ),
    "harmful-name": Sort("review", "The name says that harm is done.", _READ),
    "precondition": Sort(
        "review", "Something must be done before any other tool is called.", _READ
    ),
    "other-tool": Sort(
        "review", "Some other tool is to be given something, or not to be called.", _READ
    ),
    "preference": Sort("review", "The tool praises itself over others.", _READ),
    "declared-harm": Sort("review", "The tool is said to do harm.", _READ),
    "suspicious-combination": Sort(
        "review", "Several weak signs of manipulation come together.", _READ
    ),
    "read-only-contradicted": Sort(
        "review", "The annotations say that nothing is changed, and the name says otherwise.",
        "Do not rely on the annotations of this tool.",
    ),
    "too-large": Sort(
        "block", "The definition is larger than any honest one; not all of it was read.",
        "Ask the author for a definition that a person can read.",
    ),
    "runs-code": Sort("note", "A parameter takes a command, code or a query as text.", _TYPE),
    "open-url": Sort(
        "note", "A parameter takes any address; the server may be made to reach inner hosts.",
        _TYPE,
    ),
    "open-path": Sort("note", "A parameter takes any path of the file system.", _TYPE),
    "open-schema": Sort("note", "The schema does not say which arguments there are.", _TYPE),
}  # fmt: skip

LAUNCH_KINDS: Final[dict[str, Sort]] = {
    "fetched-script": Sort(
        "block", "A script is fetched from the network and run as it comes.",
        "Download it, read it, and name the file.",
    ),
    "privileged-container": Sort(
        "block", "The container may do to its host what root may.",
        "Leave the switch out; give it the one capability it needs.",
    ),
    "engine-socket": Sort(
        "block", "The container may start others, and so do anything on its host.",
        "Do not mount the socket of the engine.",
    ),
    "host-mount": Sort(
        "block", "The container sees the files of its host.",
        "Mount the one folder that it needs, read-only where that is enough.",
    ),
    "host-container": Sort(
        "review", "The container shares its host's network or processes.",
        "Leave the switch out, or publish the one port that it needs.",
    ),
    "whole-disk": Sort(
        "review", "The server is given a folder that holds nearly everything.",
        "Name the one folder that it needs.",
    ),
    "as-root": Sort("review", "The server is started as another user.", "Start it as you are."),
    "written-secret": Sort(
        "review", "A secret stands in the file in plain text.",
        "Keep it in a variable, and write ${NAME} here.",
    ),
    "shell": Sort(
        "review", "A shell runs whatever its arguments and files expand to.",
        "Name the program itself as command, and its arguments in args.",
    ),
    "inline-code": Sort(
        "review", "An interpreter is given its program as text, which no review or pin covers.",
        "Put the program in a file and name the file in args.",
    ),
    "unpinned-package": Sort(
        "review", "Whatever version of a package is newest at that moment is run.",
        "Name an exact version.",
    ),
    "unsafe-env": Sort(
        "review", "A variable can make the program run other code.",
        "Remove it.",
    ),
    "plain-http": Sort(
        "review", "What is sent to the server can be read and changed on its way.",
        "Use an https URL.",
    ),
}  # fmt: skip
"""What can be found in a configuration, beside what its own check says."""

SHADOW_KINDS: Final[dict[str, Sort]] = {
    "hidden-name": Sort("block", "Characters that nobody sees stand in the name.", _LOOK),
    "look-alike-name": Sort(
        "block", "The name can be taken for another one that is there.",
        "Ask the author to rename it, or leave the server out.",
    ),
    "steers-other-server": Sort(
        "block", "The text is about changing or avoiding what a tool of another server does.", _ASK
    ),
    "names-other-server": Sort(
        "review", "The text speaks of a tool that another server has.", _READ
    ),
    "similar-name": Sort(
        "note", "The name differs in case or separators from one of another server.",
        "Nothing needs to be done while names carry their server.",
    ),
    "same-name": Sort(
        "note", "Another server has the same name.",
        "Nothing needs to be done while names carry their server.",
    ),
}  # fmt: skip
"""What can be found when all that is listed together is held against one another."""
