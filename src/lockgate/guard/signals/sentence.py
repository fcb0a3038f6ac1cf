"""The signals of one sentence: what an attack on the model that reads it has to say.

Must not know: where the sentence stands in a definition, or what is done about it. Each signal is
one function from rows to the words that show it, nothing if it is not there.

A signal that blocks has to be something an honest definition has no reason to say, and is held to
that by `bench/guard`; one that asks for a look may be said honestly now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from lockgate.guard.finding import Severity
from lockgate.guard.signals.rows import Rows, near, then
from lockgate.guard.text.sentences import spoken

Judge = Callable[[Rows, frozenset[str]], int]


class Signal(msgspec.Struct, frozen=True):
    """One thing a sentence may say.

    judge  given the rows and the names that are the definition's own: the words that show it.
    """

    id: str
    severity: Severity
    judge: Judge


def _secrets(rows: Rows) -> int:
    return rows["secret"] | rows["secret-file"] | rows.marks["home"]


def _moved(rows: Rows) -> int:
    return rows["attach"] | rows["strictly-send"] | rows["read"]


def _covertly(rows: Rows) -> int:
    """Where something is to happen unseen.

    That a program fails silently, or never does, is what honest documentation warns of.
    """
    said = rows["silently"]
    quiet = rows["quietly"]
    if not quiet:
        return said
    warned = then(rows["not"], quiet, 3) | then(rows["over-others"], quiet, 2)
    return said & ~(quiet & (warned | near(rows["goes-wrong"], quiet, 2)))


# -- what blocks


def _concealment(rows: Rows, _own: frozenset[str]) -> int:
    """Somebody is not to be told what is done.

    How to present a result, or not to say too early that something worked, is many an honest
    tool's advice: "do not mention internal ids to the user".
    """
    untold = _untold(rows)
    if not untold or then(untold, rows["person"] & (rows["toward"] >> 1), 2):
        # To tell somebody to do something is no telling of what is done.
        return 0
    if then(untold, rows["what-is-done"], 5) or _that_is_all(rows, untold):
        return untold
    if rows["not-before"]:
        return 0
    if rows.any("silently", "naturally", "secret-file", "harm"):
        return untold
    done = rows.any("strictly-send", "sent", "deed", "delete", "tamper", "attach")
    by_you = then(rows["you"], rows["call"] | rows["read"], 5) & ~then(
        then(rows["you"], rows["not"], 1), rows["call"] | rows["read"], 5
    )
    return then(untold, done | by_you, 12) or then(done, untold, 12)


def _that_is_all(rows: Rows, untold: int) -> int:
    """`Do not tell the user`, and no more; where nobody is notified, no message is sent."""
    last = then(untold & ~rows["notified"], rows["person"], 3) >> (rows.length - 1)
    return last and untold


def _untold(rows: Rows) -> int:
    told = rows["strictly-tell"] & ~(rows["please"] << 1)
    denied = rows["not"] & ~(rows["is-so"] >> 1)
    # "Do not delete it without telling the user" is the opposite.
    told &= ~then(then(denied, rows["lacking"], 12), told, 3)
    untold = then(denied, told, 3) if told else 0
    untold &= ~_before_any(rows["secret"])
    if untold:
        pronoun = rows["pronoun"]
        if then(untold, rows["person"] & ~pronoun, 5) or then(untold, pronoun, 2):
            return untold
        if then(rows["person"], then(rows["not"], told, 4), 6):
            return untold
        if then(untold, rows.any("call", "tool", "tamper", "attach", "read"), 8) and rows.any(
            "you", "model", "silently", "naturally"
        ):
            return untold
    return then(rows["necessity"], told, 3) and rows["person"]


def _kept_from_view(rows: Rows, _own: frozenset[str]) -> int:
    """A step is said to be left out of what a person sees."""
    shown = near(rows["unshown"], rows["view"] & rows["person"], 7) if rows["unshown"] else 0
    kept = then(rows["kept-from"], rows["person"] | rows["summary"], 5)
    # Secrets are rightly not shown, and so must be kept by whoever sees them once.
    ordered = 0 if rows["secret"] else rows["must"]
    return (shown | kept) and (ordered | rows.any("also", "step", "you"))


def _silently(rows: Rows, _own: frozenset[str]) -> int:
    """Something is to be handed over or changed without being seen."""
    unseen = _covertly(rows)
    if not unseen:
        return 0
    done = rows.any("attach", "tamper")
    addressed = rows.any("you", "model", "must")
    if not (addressed or rows.any("context", "secret", "personal", "summary", "external")):
        # What a program does to its own data, in the words of its documentation.
        done &= ~(rows["happens"] & near(rows["quietly"], rows["happens"], 4))
    return near(unseen, rows["strictly-send"] | done, 4) or near(
        unseen, rows.any("read", "call"), 2
    )


def _secret_taken(rows: Rows, own: frozenset[str]) -> int:
    """Secrets of the host are to be read, or handed over, beside what the tool is for."""
    secrets = _secrets(rows)
    if not secrets or rows["optional"]:
        return 0
    return _file_taken(rows) or (not _about_secrets(own) and _secret_sent(rows, secrets))


_SECRET_NAMES: Final = frozenset(
    {"secret", "secrets", "key", "keys", "apikey", "password", "passwords", "credential"}
    | {"credentials", "token", "tokens", "auth", "login", "cookie", "cookies", "vault", "oauth"}
)


def _about_secrets(own: frozenset[str]) -> bool:
    """Whether secrets are what the definition is for, as its names say for everybody to see."""
    return any(not _SECRET_NAMES.isdisjoint(spoken(name.replace("_", " "))) for name in own)


def _file_taken(rows: Rows) -> int:
    if rows["secret-file"] and rows["read"] and rows.any("model", "asked-of-model"):
        return rows["secret-file"]
    files = rows["secret-file"] | rows.marks["home"]
    # A key that has to stand in a file is set up by a person.
    files &= ~then(rows["within"], files, 3)
    if not files or not near(files, _moved(rows), 12):
        return 0
    sent = near(files, rows["strictly-send"], 8) and (_sinks(rows) | rows.any("after", "whole"))
    return files if sent or rows.any("must", "before", "silently", "lever", "also") else 0


def _secret_sent(rows: Rows, secrets: int) -> int:
    moved = near(secrets, _moved(rows), 8)
    if not moved:
        return 0
    to = then(rows["toward"] | rows["send"], _sinks(rows), 2)
    to |= then(rows["strictly-send"], _sinks(rows), 8)
    if then(rows.any("attach", "send"), to, 16):
        return secrets
    taken = (rows["read"] | rows["strictly-send"]) & ~secrets
    also = (rows["also"] & ~_before_any(secrets)) | rows["aside"]
    if also and near(secrets, taken, 6):
        return secrets
    if also and near(secrets & ~rows["surroundings"], rows["slipped"], 6):
        return secrets
    if near(secrets, rows["read"] & ~secrets, 6) and rows["handed"]:
        ordered = rows.any("must", "also", "silently") | then(rows["handed"], rows["external"], 8)
        return ordered and secrets
    if near(secrets, rows["strictly-send"], 8):
        return rows.any("also", "silently") and secrets
    return rows["lever"] and rows.any("must", "also") and secrets


def _before_any(words: int) -> int:
    """The two words before each of some: `additional` says of them that there are more."""
    return words >> 1 | words >> 2


def _sinks(rows: Rows) -> int:
    """Addresses that are written there."""
    return rows.marks["url"] | rows.marks["mail"] | rows.marks["phone"]


def _sent_away(rows: Rows, _own: frozenset[str]) -> int:
    """What passes is to be sent to an address that is written there."""
    sink = _sinks(rows)
    if not sink or rows["format"]:
        return 0
    if near(sink, rows["strictly-send"] | rows["sent"], 10):
        return rows.any("must", "silently", "also", "before", "after", "standing") and sink
    return near(sink, rows["kept"], 6) and rows["also"] and sink


def _override(rows: Rows, _own: frozenset[str]) -> int:
    """Earlier instructions are to be forgotten, or told."""
    theirs = then(rows.any("you", "hidden"), rows["order"] & rows["model-rules"], 3)
    if rows["you"] and then(rows["strictly-tell"], theirs, 4):
        return theirs
    dropped = rows["override"]
    if not dropped or then(rows["not"], dropped, 2):
        return 0
    order = rows["order"]
    if not rows["said-before"]:
        dropped &= ~rows["ordinary-change"]
    aimed = order if rows["model"] else order & rows["model-rules"]
    strictly = then(rows["setting-aside"], aimed, 5) and rows["you"]
    if not rows.any("you", "model"):
        # Replacing restrictions, or overriding a default prompt, is many a tool's work.
        order &= rows["model-rules"] | (rows["said-before"] and rows["rules"])
    return strictly or then(then(dropped, rows["prior"], 4), order, 3)


def _forced_command(rows: Rows, _own: frozenset[str]) -> int:
    """A command of the shell is to be run, or to precede others."""
    shell = rows["shell"]
    if not shell or then(rows["not"], shell, 6):
        return 0
    shell &= rows.plain() & ~(rows["statement"] >> 1) & ~(rows["statement"] >> 2)
    run = then(rows["do"], shell & ~(rows["has-it"] << 1), 4) | then(rows["in-front"], shell, 4)
    run |= _read_by_path(rows, shell)
    return run and rows.any("must", "before")


def _read_by_path(rows: Rows, shell: int) -> int:
    """A file of the system is to be read, whose name is that of a command."""
    return shell & rows["secret-file"] and near(shell, rows["read"] | rows["tamper"], 6)


def _speaks_for_the_user(rows: Rows, _own: frozenset[str]) -> int:
    """The definition speaks as if it were the user or the system."""
    return rows["from-user"] and rows.any("you", "model") and rows.any("urgent", "must", "please")


def _covert_harm(rows: Rows, _own: frozenset[str]) -> int:
    """Harm that is to go unseen."""
    return near(rows["unaware"] | _covertly(rows), rows["harm"], 30)


def _context_sent(rows: Rows, _own: frozenset[str]) -> int:
    """The prompt or the conversation is to be handed over."""
    if rows["fully-said"] and rows.any("attach", "strictly-send") and rows["verbatim"]:
        return rows["fully-said"]
    context = rows["context"]
    if not context or not near(context, rows["attach"] | rows["strictly-send"], 6):
        return 0
    ordered = rows["must"] and near(context, rows["whole"], 3)
    return ordered or (near(context, rows["strictly-send"], 4) and _sinks(rows))


def _tampering(rows: Rows, own: frozenset[str]) -> int:
    """What other tools are given or return is to be changed."""
    changed = near(rows["tamper"], rows["subject"], 6)
    if not changed or not rows.any("whenever", "before", "after"):
        return 0
    other = rows.other_tool() | rows.foreign(own)
    return other and rows["call"] and (_sinks(rows) or (rows["strictly-tell"] and rows["not"]))


# -- what asks for a look


def _without_consent(rows: Rows, _own: frozenset[str]) -> int:
    skipped = 0 if rows["optional"] else rows["consent-skipped"]
    covertly = _covertly(rows)
    addressed = rows.any("you", "model", "must", "before", "person")
    if not (addressed or rows.any("personal", "secret", "context", "external")):
        # A program that does something silently says so because people should know.
        covertly &= ~rows["quietly"] | near(rows["strictly-send"], rows["quietly"], 4)
    # "Without confirmation, only shows what would happen": a condition.
    return ((rows["unaware"] | skipped) & ~1) | covertly


def _not_told(rows: Rows, _own: frozenset[str]) -> int:
    return _untold(rows)


def _unshown(rows: Rows, _own: frozenset[str]) -> int:
    return (
        near(rows["unshown"], rows["view"], 6)
        or then(rows["necessity"], rows["tell"], 4)
        or then(rows["kept-from"], rows["view"], 4)
    )


def _disguise(rows: Rows, _own: frozenset[str]) -> int:
    return near(rows["naturally"], rows.any("attach", "strictly-tell", "secret", "person"), 10)


def _secret_asked(rows: Rows, _own: frozenset[str]) -> int:
    secrets = _secrets(rows)
    if not secrets or (rows["signing-in"] and not rows.any("secret-file", "also", "silently")):
        return 0
    if then(then(rows["not"], _moved(rows), 2), secrets, 6):
        return 0
    files = rows["secret-file"] | rows.marks["home"]
    if files and rows.any("read", "strictly-send", "attach") and rows.any("whenever", "before"):
        return files
    if near(rows["secret-file"], rows["read"], 6) or near(secrets, rows["sent"], 8):
        return not rows["optional"] and secrets
    if near(secrets, rows["strictly-send"], 6):
        return rows.any("must", "before", "external", "whenever") and secrets
    if near(secrets, (rows["attach"] | rows["read"]) & 0b111, 8) and rows["person"]:
        return secrets
    also = rows["also"] & ~_before_any(secrets)
    return near(secrets, _moved(rows) & ~secrets, 6) and (also | rows.any("must", "before"))


def _context_taken(rows: Rows, _own: frozenset[str]) -> int:
    if rows["fully-said"] and rows.any("attach", "strictly-send", "must"):
        return rows["fully-said"]
    context = rows["context"]
    if not context:
        return 0
    # A tool that returns conversations is a chat's; one that is given them takes them.
    return near(context, rows.any("slipped", "strictly-send", "handed"), 6) or (
        near(context, rows["whole"] & ~context, 3) and rows.any("you", "must", "model")
    )


def _asks_which_model(rows: Rows, _own: frozenset[str]) -> int:
    named = near(rows["model"], rows["which"], 3)
    return named and then(rows["calling"], rows["tool"], 3)


def _changes_others(rows: Rows, own: frozenset[str]) -> int:
    strong = rows["tamper"] & ~rows["ordinary-setting"]
    turn = rows["before"] | rows["after"]
    if near(strong, rows["subject"], 6) and (turn or rows.any("whenever", "must")):
        used = near(rows["call"], rows.other_tool() | rows.foreign(own), 6)
        return used | near(turn, rows["call"], 5)
    if rows["whenever"] and then(rows["strictly-send"], _sinks(rows), 8) and rows.foreign(own):
        return _sinks(rows)
    if not near(rows["tamper"], rows["subject"], 6) or not rows["must"]:
        return 0
    return rows.other_tool() | rows.foreign(own)


def _forced_value(rows: Rows, _own: frozenset[str]) -> int:
    subject = near(rows["set"], rows["subject"], 5)
    if not subject or not rows.any("must", "whenever", "before"):
        return 0
    return rows["regardless"] or (rows["must"] and (rows["also"] | rows["standing"]))


def _precondition(rows: Rows, _own: frozenset[str]) -> int:
    """Before any tool, that is: what one tool needs beforehand is documentation."""
    if not rows["must"] or not near(rows["before"], rows["call"], 5):
        return 0
    return rows["other-tools"] | rows["all-else"] | then(rows["every-one"], rows["tool"], 2)


def _orders_other_tool(rows: Rows, own: frozenset[str]) -> int:
    """To learn from one tool what another needs is usual; to hand it something is not."""
    other = rows.foreign(own)
    if not other or not rows["must"] or not rows.any("before", "after", "whenever"):
        return 0
    handed = rows.any("personal", "context", "secret", "strictly-send", "sent", "standing")
    handed |= rows.any("regardless", "setting-aside")
    handed |= rows["tamper"] & ~rows["ordinary-setting"]
    return (handed | then(then(rows["not"], rows["call"], 2), other, 3)) and other


def _file_asked(rows: Rows, _own: frozenset[str]) -> int:
    files = rows.marks["path"] | rows.marks["home"]
    if not files:
        return 0
    handled = near(files, rows["read"] | rows["attach"] | rows["delete"], 8)
    return handled and rows.any("must", "also", "before")


def _preferred(rows: Rows, own: frozenset[str]) -> int:
    best = near(rows["best"], rows["tool"], 3) and rows.any("this", "prefer")
    if best or _chosen(rows):
        return rows["best"] | rows["choose"]
    others = rows["other-tools"] | then(rows["other"], rows["tool"], 3)
    foreign = rows.foreign(own)
    return (
        (
            (others or foreign)
            and rows["over-others"]
            and rows["prefer"]
            and (rows["must"] or not rows["whenever"])
        )
        or (rows["takes-over"] and (rows["tool"] | _told_order(rows)))
        or (others and near(others, rows["disparaged"], 6))
        or then(foreign, rows["disparaged"] & ~rows["old"], 6)
        or (rows["regardless"] and rows["this"] and rows["tool"] and rows["call"])
    )


def _told_order(rows: Rows) -> int:
    return 0 if rows["optional"] else rows["order"] & rows["model-rules"]


def _chosen(rows: Rows) -> int:
    if not rows["choose"]:
        return 0
    first = near(rows["choose"], rows["must"] | rows["before"], 3)
    return rows["best"] or (first and rows.any("this", "tool"))


def _personal_sent(rows: Rows, _own: frozenset[str]) -> int:
    if rows["aside"] and near(rows["personal"], _moved(rows), 6):
        return rows["personal"]
    sent = near(rows["personal"], rows["strictly-send"], 6)
    return sent and (rows["also"] or (rows["external"] and rows.any("must", "whenever")))


def _installs(rows: Rows, _own: frozenset[str]) -> int:
    return rows["install"] and rows["must"] and rows["before"]


def _removes(rows: Rows, _own: frozenset[str]) -> int:
    gone = near(rows["delete"], rows["subject"] | rows["personal"], 4)
    return gone and rows["must"] and rows.any("also", "after")


def _freed(rows: Rows, _own: frozenset[str]) -> int:
    return rows["freed"] and rows.any("you", "model", "must", "regardless")


def _standing(rows: Rows, _own: frozenset[str]) -> int:
    done = rows.any("call", "attach", "strictly-send", "must")
    said = rows.any("must", "also", "you", "model", "person", "henceforth")
    return rows["standing"] and done and said


def _runs_command(rows: Rows, _own: frozenset[str]) -> int:
    shell = rows["shell"] & rows.plain()
    ordered = rows.any("must", "before", "also", "after", "urgent")
    return ordered and near(rows["do"], shell, 2)


def _harm(rows: Rows, _own: frozenset[str]) -> int:
    harm = rows["harm"] & rows.plain()
    harm &= ~(then(rows["guarding"], harm, 4) & ~rows["unauthorized"])
    return harm and near(harm, rows.any("tamper", "subject", "call"), 8)


SIGNALS: Final[tuple[Signal, ...]] = (
    Signal("concealment", "block", _concealment),
    Signal("kept-from-view", "block", _kept_from_view),
    Signal("silent-action", "block", _silently),
    Signal("secret-taken", "block", _secret_taken),
    Signal("sent-away", "block", _sent_away),
    Signal("override", "block", _override),
    Signal("forced-command", "block", _forced_command),
    Signal("false-speaker", "block", _speaks_for_the_user),
    Signal("covert-harm", "block", _covert_harm),
    Signal("context-sent", "block", _context_sent),
    Signal("tampering", "block", _tampering),
    Signal("without-consent", "review", _without_consent),
    Signal("untold", "review", _not_told),
    Signal("unshown-step", "review", _unshown),
    Signal("disguise", "review", _disguise),
    Signal("secret-asked", "review", _secret_asked),
    Signal("context-taken", "review", _context_taken),
    Signal("asks-which-model", "review", _asks_which_model),
    Signal("changes-others", "review", _changes_others),
    Signal("forced-value", "review", _forced_value),
    Signal("precondition", "review", _precondition),
    Signal("other-tool", "review", _orders_other_tool),
    Signal("file-asked", "review", _file_asked),
    Signal("personal-data-sent", "review", _personal_sent),
    Signal("preference", "review", _preferred),
    Signal("installs", "review", _installs),
    Signal("removes", "review", _removes),
    Signal("freed", "review", _freed),
    Signal("standing-order", "review", _standing),
    Signal("runs-command", "review", _runs_command),
    Signal("declared-harm", "review", _harm),
)
"""In the order they are reported. See `lockgate.guard.signals.kinds` for what each means."""
