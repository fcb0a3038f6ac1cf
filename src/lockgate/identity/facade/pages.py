"""The pages people see: consent, going on, and what went wrong.

Must not know: how anything is decided, HTTP. Every text that somebody else chose is escaped here,
and nowhere else. No script, no image, no font, nothing from elsewhere; one style sheet, named by
its hash in the content security policy.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from lockgate.core.taxonomy import Entry
from lockgate.identity.facade.web import escaped as e

_STYLE: Final = """
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--ink:#1b1f24;--soft:#57606a;
--line:#d5d9de;--go:#1a5fb4;--go-ink:#fff;--warn:#fff6e0;--warn-line:#9a6700;--warn-ink:#4d3800}
@media(prefers-color-scheme:dark){:root{--page:#0f1216;--card:#181c22;--ink:#e8ebef;--soft:#a3adb8;
--line:#353c46;--go:#8ab8f5;--go-ink:#0c1a2c;--warn:#2b2410;--warn-line:#d4a72c;--warn-ink:#f2dfa7}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:34rem;margin:clamp(0rem,4vh,3rem) auto;padding:clamp(1.25rem,5vw,2.25rem);
background:var(--card);border:1px solid var(--line);border-radius:.75rem}
@media(max-width:36rem){main{margin:0;border:0;border-radius:0;min-height:100vh}
body{background:var(--card)}}
.mark{margin:0 0 1.25rem;color:var(--soft);font-size:.9rem}
h1{font-size:1.45rem;line-height:1.3;margin:0 0 .75rem;text-wrap:balance;overflow-wrap:anywhere}
p{margin:0 0 1rem;overflow-wrap:anywhere}
dl{margin:1.25rem 0;border-top:1px solid var(--line)}
dl div{display:grid;grid-template-columns:9rem 1fr;gap:.25rem 1rem;padding:.7rem 0;
border-bottom:1px solid var(--line)}
@media(max-width:28rem){dl div{grid-template-columns:1fr}}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
dd ul{margin:0;padding:0;list-style:none}
dd li+li{margin-top:.45rem}
strong{font-weight:650}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.host{font-weight:650}
small{color:var(--soft);font-size:.875rem;display:block}
.warn{background:var(--warn);color:var(--warn-ink);border-left:4px solid var(--warn-line);
padding:.75rem 1rem;border-radius:.25rem}
.warn p:last-child{margin:0}
label{display:flex;gap:.6rem;align-items:baseline;margin:1.25rem 0}
.choice{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}
button,.button{font:inherit;font-weight:600;padding:.65rem 1.4rem;border-radius:.5rem;
cursor:pointer;border:1px solid var(--line);background:transparent;color:var(--ink);
flex:1 1 9rem;text-align:center;text-decoration:none;display:inline-block}
.go{background:var(--go);border-color:var(--go);color:var(--go-ink)}
button:hover,.button:hover{filter:brightness(1.08)}
:focus-visible{outline:3px solid var(--go);outline-offset:2px}
a{color:var(--go)}a.button.go{color:var(--go-ink)}
"""
STYLE: Final = " ".join(_STYLE.split("\n")).strip()
STYLE_HASH: Final = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What the consent page shows.

    app        the client's name, as it calls itself unless it is known.
    kind       who vouches for that name: see `clients.Client`.
    host       of the document that describes it.
    target     where the person is sent back to: the host, in full the URI.
    loopback   whether that is a program on their own machine.
    scopes     what is asked for: name and description.
    resource   the endpoint.
    form       what the form carries to be recognised.
    remember   whether the person may have it remembered.
    """

    gateway: str
    provider: str
    app: str
    kind: str
    host: str
    target: str
    target_uri: str
    loopback: bool
    scopes: Sequence[tuple[str, str]]
    resource: str
    action: str
    form: str
    remember: bool


def consent(told: Consent) -> str:
    """The page that asks a person whether a client may act for them."""
    app, gateway = e(told.app), e(told.gateway)
    target = f'<span class="host">{e(told.target)}</span>'
    rows = [
        ("App", f"<strong>{app}</strong>{_vouched(told)}"),
        ("Sends you back to", f"{target}<small><code>{e(told.target_uri)}</code></small>"),
        ("May", _scopes(told.scopes)),
        ("At", f"<code>{e(told.resource)}</code>"),
    ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    remember = (
        '<label><input type="checkbox" name="remember" value="yes"> <span>Do not ask again for '
        "this app in this browser, while it asks for nothing more</span></label>"
        if told.remember
        else ""
    )
    return _page(
        f"Allow {told.app}?",
        f"""<p class="mark">{gateway}</p>
<h1>Let {app} act for you at {gateway}?</h1>
<p>If you allow it, you log in at <strong>{e(told.provider)}</strong> next. The app learns neither \
your password there nor what {e(told.provider)} gives out.</p>
<dl>{listed}</dl>
{_warning(told)}
<form method="post" action="{e(told.action)}">
<input type="hidden" name="form" value="{e(told.form)}">
{remember}
<div class="choice">
<button class="go" type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny">Do not allow</button>
</div>
</form>""",
    )


def _vouched(told: Consent) -> str:
    if told.kind == "configured":
        return "<small>Registered by whoever runs this gateway.</small>"
    if told.kind == "document":
        return (
            f"<small>Described at <strong>{e(told.host)}</strong>. Nobody else checked it.</small>"
        )
    return "<small>What the app calls itself. Nobody checked it.</small>"


def _scopes(scopes: Sequence[tuple[str, str]]) -> str:
    if not scopes:
        return "Use the tools this gateway offers you"
    items = "".join(
        f"<li>{e(text) if text else e(name)}<small><code>{e(name)}</code></small></li>"
        for name, text in scopes
    )
    return f"<ul>{items}</ul>"


def _warning(told: Consent) -> str:
    said: list[str] = []
    if told.kind == "registered":
        said.append(
            "<strong>This app is not verified.</strong> Any app can give itself this name. Allow "
            "it only if you have just started to connect it yourself."
        )
    if told.loopback:
        said.append(
            "It sends you back to a program on this computer. Which one that is cannot be told "
            "from here."
        )
    elif told.kind == "document" and told.host.rpartition(":")[0] != told.target != told.host:
        said.append(
            "It sends you back to another host than the one that describes it. Allow it only if "
            "you know both."
        )
    paragraphs = "".join(f"<p>{one}</p>" for one in said)
    return f'<div class="warn" role="note">{paragraphs}</div>' if said else ""


def going(url: str, where: str) -> str:
    """A page that goes on to another address by itself, or by its link.

    Not a redirect: browsers hold a policy for forms against every hop that follows one.
    """
    return _page(
        "Going on",
        f'<h1>Going on to {e(where)}</h1><p><a class="button go" href="{e(url)}">Go on</a></p>',
        f'<meta http-equiv="refresh" content="0;url={e(url)}">',
    )


def wrong(title: str, why: str, entry: Entry, back: tuple[str, str] | None = None) -> str:
    """A page that says what went wrong.

    Args:
        title: what happened.
        why: a sentence about it.
        entry: which error it is.
        back: a link to where the person came from: its address, and what it is called.
    """
    link = f'<p><a class="button" href="{e(back[0])}">{e(back[1])}</a></p>' if back else ""
    return _page(
        title,
        f"<h1>{e(title)}</h1><p>{e(why)}</p><p>{e(entry.remedy)}</p>{link}"
        f"<p><small><code>{e(entry.code)}</code></small></p>",
    )


def _page(title: str, body: str, head: str = "") -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f'<meta name="robots" content="noindex">\n{head}'
        f"<title>{e(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
