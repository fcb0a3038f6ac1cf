"""The forms of credentials: by which characters each begins, and how it goes on.

Must not know: how they are looked for.

Written from what each issuer documents of its own credentials, and from credentials themselves. A
pattern begins at the anchor. It has bounds, or fails within its shortest length, so that reading is
linear; where a longer one would be a different thing, what may not follow is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

_WORD: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+")
_URLISH: Final = _WORD | frozenset("-_")


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """One form.

    anchors  what it begins with, one of them.
    pattern  the whole; its first group, if there is one, is the secret.
    before   what may not stand before it.
    passes   whether what matched is no secret after all.
    encoded  whether it is looked for in Base64 as well.
    """

    kind: str
    anchors: tuple[str, ...]
    pattern: str
    before: frozenset[str] = _WORD
    passes: Callable[[str], bool] | None = None
    encoded: bool = True


def _form(kind: str, anchors: str, pattern: str, *, encoded: bool = True) -> Form:
    return Form(kind=kind, anchors=tuple(anchors.split()), pattern=pattern, encoded=encoded)


def _example(text: str) -> bool:
    return text.endswith("EXAMPLE")


_PLACEHOLDERS: Final = frozenset(
    {"pass", "passwd", "password", "pw", "pwd", "secret", "user", "username", "xxx", "yyy"}
    | {"changeme", "example", "token"}
)


def _no_password(text: str) -> bool:
    """Whether the password of a URL is a placeholder."""
    word = text[:-1].rpartition(":")[2]
    return (
        word.lower().strip("_-.") in _PLACEHOLDERS
        or len(set(word)) < 3
        or word[0] in "<{[$%("
        or word.startswith(("your", "YOUR"))
    )


def _no_token(text: str) -> bool:
    """Whether what follows an authorization scheme has nothing of a credential."""
    word = text.rsplit(maxsplit=1)[-1]
    return not any(one.isdigit() for one in word) or len(set(word)) < 8


# fmt: off
ISSUED: Final = (
    Form(kind="aws-access-key", anchors=("AKIA", "ASIA", "ABIA", "ACCA"),
         pattern=r"[A-Z]{4}[A-Z0-9]{16}(?![A-Za-z0-9])", passes=_example),
    _form("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{30,255}"),
    _form("github-token", "github_pat_", r"github_pat_\w{30,255}"),
    _form("gitlab-token", "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glimt- glagent- gloas-",
          r"gl[a-z]{2,5}-[\w.-]{20,300}"),
    _form("slack-token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxe.",
          r"xox[a-z][-.][A-Za-z0-9-]{10,400}"),
    _form("slack-token", "xapp-", r"xapp-\d-[A-Za-z0-9]{5,40}-\d{5,40}-[A-Za-z0-9]{20,400}"),
    _form("slack-webhook", "hooks.slack.com/",
          r"hooks\.slack\.com/[a-z]{8,12}/[A-Za-z0-9+/]{20,200}"),
    _form("stripe-key", "sk_live_ sk_test_ rk_live_ rk_test_",
          r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}"),
    _form("stripe-webhook-secret", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,255}"),
    _form("anthropic-key", "sk-ant-", r"sk-ant-[\w-]{20,255}"),
    _form("openai-key", "sk-proj- sk-svcacct- sk-admin-",
          r"sk-(?:proj|svcacct|admin)-[\w-]{20,255}"),
    _form("api-key", "sk-or-v1-", r"sk-or-v1-[0-9a-f]{64}"),
    _form("api-key", "sk-", r"sk-[A-Za-z0-9]{32,255}(?![\w-])", encoded=False),
    _form("google-key", "AIza", r"AIza[\w-]{35}(?![\w-])"),
    _form("google-secret", "GOCSPX-", r"GOCSPX-[\w-]{20,64}"),
    _form("google-token", "ya29.", r"ya29\.[\w-]{20,2048}"),
    _form("google-token", "1//0", r"1//0[\w-]{40,512}", encoded=False),
    _form("npm-token", "npm_", r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _form("pypi-token", "pypi-AgE", r"pypi-AgE[\w-]{32,2048}"),
    _form("rubygems-key", "rubygems_", r"rubygems_[0-9a-f]{48}"),
    _form("huggingface-token", "hf_", r"hf_[A-Za-z0-9]{30,64}(?![\w])", encoded=False),
    _form("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    _form("sendgrid-key", "SG.", r"SG\.[\w-]{16,32}\.[\w-]{16,64}", encoded=False),
    _form("mailgun-key", "key-", r"key-[0-9a-f]{32}(?![\w-])", encoded=False),
    _form("shopify-token", "shpat_ shpca_ shppa_ shpss_", r"shp[a-z]{2}_[0-9a-fA-F]{32}"),
    _form("databricks-token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?(?![\w])"),
    _form("linear-key", "lin_api_ lin_oauth_", r"lin_[a-z]{3,5}_[A-Za-z0-9]{40,64}"),
    _form("notion-token", "ntn_ secret_", r"(?:ntn|secret)_[A-Za-z0-9]{43,50}(?![\w])"),
    _form("atlassian-token", "ATATT3 ATCTT3", r"AT[AC]TT3[\w=-]{60,300}"),
    Form(kind="telegram-token", anchors=(":AA",), before=frozenset(), encoded=False,
         pattern=r"(?<=[0-9]{8}):AA[\w-]{33}(?![\w-])"),
    _form("azure-key", "AccountKey= SharedAccessKey=",
          r"[A-Za-z]{10,15}=([A-Za-z0-9+/]{40,88}={0,2})"),
    _form("azure-secret", "8Q~", r"8Q~[\w~.-]{31,34}(?![\w~.-])", encoded=False),
    _form("vault-token", "hvs. hvb. hvr.", r"hv[bsr]\.[\w-]{24,255}"),
    _form("doppler-token", "dp.pt. dp.st. dp.ct. dp.sa.", r"dp\.[a-z]{2}\.[\w.-]{40,128}"),
    _form("pulumi-token", "pul-", r"pul-[0-9a-f]{40}(?![\w-])"),
    _form("supabase-key", "sbp_ sb_secret_", r"sb(?:p_[0-9a-f]{40}|_secret_[\w-]{20,64})"),
    _form("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{40,64}"),
    _form("xai-key", "xai-", r"xai-[A-Za-z0-9]{70,100}"),
    _form("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{40,64}"),
    _form("replicate-token", "r8_", r"r8_[A-Za-z0-9]{37}(?![\w])", encoded=False),
    _form("tavily-key", "tvly-", r"tvly-[A-Za-z0-9-]{20,64}"),
    _form("langsmith-key", "lsv2_pt_ lsv2_sk_", r"lsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}"),
    _form("postman-key", "PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    _form("newrelic-key", "NRAK-", r"NRAK-[A-Z0-9]{27}"),
    _form("grafana-token", "glsa_", r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}"),
    _form("grafana-token", "glc_eyJ", r"glc_eyJ[A-Za-z0-9+/=]{32,400}"),
    _form("sentry-token", "sntrys_ sntryu_", r"sntry[su]_[\w+/=-]{40,300}"),
    _form("square-token", "sq0atp- sq0csp-", r"sq0[a-z]{3}-[\w-]{22,43}"),
    _form("docker-token", "dckr_pat_ dckr_oat_", r"dckr_[a-z]{3}_[\w-]{27,64}"),
    _form("figma-token", "figd_", r"figd_[\w-]{40,64}"),
    _form("netlify-token", "nfp_", r"nfp_[A-Za-z0-9]{36,64}"),
    _form("age-key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    _form("alibaba-key", "LTAI", r"LTAI[A-Za-z0-9]{16,24}(?![A-Za-z0-9])"),
    _form("tencent-key", "AKID", r"AKID[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
    _form("discord-webhook", "discord.com/api/webhooks/ discordapp.com/api/webhooks/",
          r"discord(?:app)?\.com/api/webhooks/\d{10,24}/[\w-]{40,100}"),
    _form("lockgate-key", "lockgate_", r"lockgate_[A-Za-z0-9-]{1,64}_[\w-]{43}(?![\w-])"),
)
"""Credentials with the mark of whoever issued them."""

SHAPED: Final = (
    Form(kind="jwt", anchors=("eyJ",), before=_URLISH,
         pattern=r"eyJ[\w-]{10,4096}\.eyJ[\w-]{10,8192}\.[\w-]{16,2048}"),
    Form(kind="url-password", anchors=("://",), before=frozenset(),
         pattern=r"://[^\s/@:\"'<>\\]{0,128}:([^\s/@\"'<>\\]{1,256})@(?=[\w\[])",
         passes=_no_password),
    Form(kind="authorization", anchors=("uthorization", "UTHORIZATION"), before=frozenset(),
         pattern=r"(?i:uthorization)[\"']{0,2}\s{0,4}[:=]\s{0,4}[\"']?"
                 r"((?i:bearer|basic|token|digest|apikey)\s{1,4}[\w.~+/=:-]{8,4096})",
         passes=_no_token),
    Form(kind="authorization", anchors=("earer ", "EARER "), before=frozenset(),
         pattern=r"(?i:earer )\s{0,4}([\w.~+/=-]{20,4096})", passes=_no_token),
)
"""Credentials of a general form."""
# fmt: on
