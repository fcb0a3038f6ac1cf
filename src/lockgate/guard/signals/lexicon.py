"""Words by what they mean for an attack: who is addressed, what is hidden, what is handed over.

Must not know: which meanings together are suspicious (`lockgate.guard.signals.sentence`).

A verb is written once, as its plain form followed by `~`, and stands for its regular forms.
Irregular forms are written out. More than one word makes a phrase.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MEANINGS: Final[dict[str, str]] = {
    # where it belongs
    "this": "this/current/such",
    "what-is-done": (
        "about this/about it/about that/about these/of this/of it/of these/this to/it to/that to/"
        "these to/this step/these steps/this action/these actions/this call/these calls/it at/"
        "this operation/this behavior/this behaviour/this process/this instruction/this in/it in/"
        "these instructions/the instruction/the instructions/this requirement/this note/this at/"
        "this fact/this detail/anything about/this or/it or/them this/them that/this was"
    ),
    "not-before": "unless/until/only if/only when/only after/before its/before it/before the",
    "deed": (
        "transfer~/transferred/transferring/share/shared/sharing/"
        "read/reading/reads/open/opened/opening/collect~/gather~/harvest~/retrieved/accessed/"
        "accessing/extract~/dump~/grab~/steal~/stole/stolen/capture~/copy/copies/copied/copying/"
        "fetched/fetching/scanned/scanning/recorded/recording/logged/logging/obtained/obtaining/"
        "inspected/inspecting/exported/exporting/deletion/removal"
    ),
    "notified": "notify~/notified/notifies/notifying/alert~/warn~/bother~",
    "signing-in": (
        "authorization header/authentication header/in the header/in a header/as a header/"
        "request header/request headers/bearer token/scope/scopes/oauth flow"
    ),
    "pronoun": "them/him/her",
    "statement": "statement/statements",
    "happens": (
        "replaces/replacing/replaced/changes/changing/changed/modifies/modifying/modified/"
        "overrides/overriding/overwrites/overwriting/overwritten/rewrites/rewriting/sets/setting/"
        "adjusts/adjusting/reduces/reducing/swaps/substitutes/adds/adding/added/appends/appending/"
        "appended/includes/including/included/inserts/inserting/inserted/writes/writing/written/"
        "stores/storing/fills/filling/saves/returns/outputs/prints/copies/places/embeds/passes"
    ),
    "optional": "optional/optionally/if not provided/if provided/default/defaults/fallback",
    "summary": "summary/summaries/conversation/transcript/chat/final answer/final response",
    "step": "step/steps/collection/operation/action/actions/behavior/behaviour",
    "handed": (
        "report them/reports them/reporting them/ship/ships/exports them/attach~/append~/"
        "pass/passes/include/includes/including/embed/embeds/embedding/send/sends/sending/"
        "forward/forwards/upload/uploads/transmit/transmits/exfiltrate~/insert/inserts/put/"
        "puts/prepend/place/supply/provide/encode/encodes/post/posts/include them"
    ),
    "quietly": "silently/quietly",
    "goes-wrong": (
        "fail/fails/failing/failed/ignore/ignores/ignored/ignoring/drop/drops/dropped/discard/"
        "discards/discarded/skip/skips/skipped/truncate/truncates/truncated/return/returns/"
        "returned/lose/loses/lost/clobber~/overwritten/degraded/accept/accepts/accepted/"
        "succeed/succeeds/succeeding/coerced/clamped/omitted/break/breaks/miss/misses/wrong/"
        "empty/no op/orphan~/fall back/falls back/creates/replaced/removed/0"
    ),
    "is-so": (
        "null/none/empty/found/set/provided/available/specified/given/supported/present/known/"
        "sure/possible/valid/configured/installed/enabled/true/false/yet/only/passed/needed/"
        "exist/match"
    ),
    "model-rules": (
        "instruction/instructions/prompt/prompts/guidelines/guideline/directives/directive/"
        "guardrails/guardrail/training/orders/safeguards/directions/safety"
    ),
    "ordinary-change": (
        "override/overrides/disable/disables/replace~/drop/drops/discard/discards/discarding/cancel/cancels/suspend/abandon/void/"
        "nullify"
    ),
    "slipped": (
        "include/append~/attach~/attached/insert~/embed/embeds/embedding/encode~/prepend~/"
        "pass/passes/passing/put/puts/place~/paste/copy/copies/copied/copying/write/writes/writing/"
        "fill/fills/supply/populate~"
    ),
    "said-before": "previous/prior/earlier/above/preceding/former",
    "ordinary-setting": (
        "set/sets/change/changes/changed/changing/modify/modifies/modified/modifying/adjust"
    ),
    "old": "legacy/deprecated/obsolete/no longer/slow/broken/unsafe/outdated",
    "do": "run/execute/invoke/launch/issue/type/be run/be executed/executing/running",
    "in-front": "prefix/prefixed/prepend/prepended/preceded/begin with/start with/appended",
    "has-it": "no/without/with/has/needs/passwordless/any/when/if/for/of/under/via/by",
    "henceforth": (
        "from now on/in every response/in each response/every response/in every reply/"
        "every reply/all later/every later/always respond"
    ),
    "guarding": (
        "prevent~/detect~/detection/protect~/against/identify/find/finds/analyze~/block/avoid"
    ),
    "all-else": "anything else/everything else/anything/everything",
    "unauthorized": "unauthorized",
    "within": "in/inside",
    "lacking": "without",
    "toward": "to/into/via",
    "surroundings": (
        "environment variables/environment variable/env vars/env variables/env file/env files/"
        "configuration files/config files/config file/configuration file/cookies/kubeconfig/"
        "connection string/connection strings/confidential"
    ),
    "every-one": "any/every/all/each/other",
    "which": "name/version/identity/which",
    "calling": "calls/calling/invoking/invokes/using/uses/running/call",
    "regardless": (
        "regardless/no matter/whatever/irrespective/in any case/at all times/"
        "in all cases/under all circumstances/under any circumstances/without exception/"
        "whichever"
    ),
    "set": "set/be/equal/equals/use/contain/hold/default/changed to/fixed to/passed as/become",
    "setting-aside": (
        "ignore/ignores/ignoring/disregard~/forget/forgets/override/overrides/overriding/"
        "bypass/bypasses/bypassing/circumvent~/disable/disabling/abandon"
    ),
    "order": (
        "instructions/instruction/rules/guidelines/guardrails/directives/restrictions/safety/"
        "safeguards/constraints/prompt/policies/protections/safeguard"
    ),
    "disparaged": (
        "fake results/incorrect results/wrong results/false results/misleading results/"
        "inaccurate results/no longer supported/no longer works/not be used/not to be used/"
        "deprecated/obsolete/unreliable/outdated/insecure/inferior/broken/unsafe/inaccurate/"
        "slow/no longer/legacy/less accurate/less reliable/not trusted/untrusted/"
        "should not be used/must not be used/should be ignored/should be avoided"
    ),
    "consent-skipped": (
        "skip user confirmation/skip confirmation/skip the confirmation/skip approval/"
        "skip user approval/automatically approve/auto approve/approve automatically/"
        "without asking/do not ask/don't ask/no confirmation/never ask/bypass confirmation/"
        "without prompting/without requesting/without explicit/skip verification/"
        "skip validation/without verification/without validation/"
        "skip security/without review"
    ),
    "other-tools": (
        "other tools/other tool/any other tool/another tool/other functions/other servers/"
        "all tools/any tool/other search tools/other similar tools/similar tools/"
        "alternative tools/alternatives/competing tools/any other"
    ),
    "freed": (
        "no restrictions/unrestricted/without restrictions/developer mode/maintenance mode/"
        "jailbreak/jailbroken/no limits/god mode/without limits/no limitations/dan/"
        "unfiltered/without filters/admin mode/safety off"
    ),
    "standing": (
        "from now on/for the rest of/in every response/in each response/every response/"
        "in all future/all future/every request/each request/all subsequent/every subsequent/"
        "each subsequent/subsequent requests/in every reply/every reply/every message/"
        "each message/every conversation/each session/every session/start of each/"
        "start of every/always respond/every tool call/each tool call/all tool calls/"
        "every later/all later"
    ),
    "choose": "prefer~/favor~/choose/select/pick/prioritize~/prioritise~",
    "fully-said": (
        "user's messages/user has written/user has said/user has typed/user wrote/user said/"
        "latest messages/so far in this/said so far/written so far/user has asked/"
        "user has mentioned/user mentioned/user's latest/user's last/everything the user/"
        "anything the user/whatever the user"
    ),
    "verbatim": (
        "verbatim/everything/anything/so far/word for word/complete/entire/full/all/latest/"
        "raw/unmodified/every"
    ),
    "aside": (
        "in the background/as a side effect/side effect/side effects/behind the scenes/"
        "in parallel/moreover/on the side"
    ),
    "asked-of-model": (
        "should read/should call/should include/should send/should pass/should always/"
        "should first/should then/must read/must call/must include/must send/must pass/"
        "must always/must first/has to read/has to call/will read/needs to read"
    ),
    "kept": "stored/saved/logged/copied/written/archived/kept",
    "other": "other/another",
    "install": "install~/pip/npm/npx/apt/brew/dependency/dependencies/package/git clone/docker run",
    "also": (
        "also/additionally/in addition/as well/additional/extra/supplemental/supplementary/"
        "likewise/as part of/furthermore/besides/together with/along with/plus"
    ),
    "kept-from": (
        "omitted from/left out of/excluded from/hidden from/concealed from/withheld from/"
        "kept from/removed from/stripped from/invisible to/not visible to/hide from/"
        "hide this from/hide it from/conceal from/suppressed from/masked from/absent from/"
        "missing from/not appear in/not part of/not shown in/not included in/keep from"
    ),
    "whole": "full/entire/complete/whole/all/every/previous/prior/raw/verbatim/contents/content",
    "model": "assistant/assistants/ai/llm/agent/agents/model/claude/gpt/chatgpt/copilot/gemini",
    "you": "you/your/yourself",
    "person": (
        "user/users/human/humans/person/people/customer/owner/operator/anyone/anybody/"
        "everyone/them/him/her/victim/nobody/somebody/client/reviewer/reviewers/administrator"
    ),
    # forbidding and ordering
    "not": (
        "not/never/don't/dont/doesn't/avoid~/without/refrain~/cannot/can't/no/nor/neither/"
        "mustn't/shouldn't/won't/isn't/aren't/needn't/nothing"
    ),
    "must": (
        "must/always/required/mandatory/mandates/shall/imperative/obligatory/essential/"
        "compulsory/have to/has to/need to/needs to/make sure/be sure/ensure/necessary/"
        "remember to/be certain/is expected to/are expected to/obliged/obligated/required to"
    ),
    "please": "please/kindly/you should/you will/should/will",
    "before": "before/prior/prior to/beforehand/first/firstly/in advance/ahead of/precondition",
    "after": "after/afterwards/once/upon/following/then/immediately/next",
    "whenever": (
        "when/whenever/every time/each time/any time/anytime/on every/for every/on each/"
        "for each/in every/with every/with each/regardless/while/if/during/as part of/any/"
        "every/all"
    ),
    # hiding
    "tell": (
        "tell/tells/told/telling/mention~/inform~/notify~/notifies/notified/reveal~/"
        "disclose~/alert~/warn~/explain~/acknowledge~/state/say/show~/shown/display~/"
        "announce~/discuss~/report/reported/indicate~/surface~/expose~/communicate~/admit/"
        "let/bother~/confirm/describe/share/present/include/reference/log/prompt/ask/asking/"
        "consult~/output"
    ),
    "strictly-tell": (
        "tell/telling/told/mention~/inform~/notify~/notifying/reveal~/disclose~/alert~/warn~/"
        "acknowledge~/announce~/let/bother~/admit/explain"
    ),
    "silently": (
        "silently/secretly/covertly/discreetly/discretely/surreptitiously/stealthily/"
        "invisibly/quietly/behind the scenes/under the radar/unnoticed/undetected/"
        "imperceptibly/clandestinely/unbeknownst/in secret/in silence"
    ),
    "unaware": (
        "need not know/should not know/must not know/should not see/must not see/"
        "should not notice/must not notice/not be aware/remain unaware/keep quiet/"
        "keep this quiet/keep it secret/keep this secret/stay silent/without showing/"
        "without detection/without being detected/without alerting/"
        "without being noticed/without user awareness/without awareness/without notification/"
        "without notice/without consent/without user consent/without permission/"
        "without confirmation/without user confirmation/without approval/"
        "without their knowledge/without knowledge/without the knowledge/"
        "without authorization/without proper authorization/avoid detection/evade detection/"
        "evading detection/avoiding detection/without raising/without leaving/"
        "without the user's/without user/bypassing detection/without system alerts"
    ),
    "hidden": (
        "hidden/invisible/omitted/suppressed/concealed/stripped/withheld/excluded/hide/hides/"
        "hiding/conceal~/omit/omits/omitting/suppress~/transparent/transparently"
    ),
    "unshown": (
        "not shown/not displayed/not visible/not presented/not surfaced/not reported/"
        "not reflected/not included/not mentioned/not disclosed/not listed/not exposed/"
        "not logged/not part of/never shown/never displayed/never surfaced/never visible/"
        "never appears/not appear/not be shown/not be displayed/not be visible/"
        "not be mentioned/not be surfaced/isn't shown/isn't displayed/aren't shown/"
        "is omitted/are omitted/be omitted"
    ),
    "view": (
        "user/users/summary/view/display/interface/ui/conversation/response/reply/screen/"
        "facing/output/transcript/dialog/answer/human"
    ),
    "necessity": (
        "no need/do not need/don't need/does not need/need not/unnecessary/not necessary/"
        "needn't/not required"
    ),
    "naturally": (
        "as if it's/as if it is/as if it were/as if they/as though/appear as/appear normal/"
        "disguise~/disguised/pretend~/masquerade~/impersonate~/pretext/cover story/blend in/"
        "seem like/seem normal"
    ),
    # what is wanted
    "secret": (
        "recovery phrase/recovery phrases/seed phrases/wallet files/wallet file/"
        "connection strings/saved password/saved passwords/browser passwords/secret keys/"
        "credential/credentials/password/passwords/passphrase/passwd/secret/secrets/api key/"
        "api keys/apikey/apikeys/access key/access keys/access key id/secret access/private key/"
        "private keys/ssh key/ssh keys/ssh private/secret key/access token/access tokens/"
        "auth token/auth tokens/authentication token/authentication tokens/bearer token/"
        "session token/session tokens/refresh token/oauth token/oauth tokens/seed phrase/"
        "mnemonic/keychain/environment variables/environment variable/env vars/env variables/"
        "env file/env files/shell history/bash history/command history/browser history/"
        "session cookie/session cookies/cookies/credit card/card number/social security/"
        "wallet key/encryption key/encryption keys/kubeconfig/database credentials/"
        "connection string/configuration files/config files/config file/configuration file/"
        "confidential/keystore/password manager/signing key/signing keys/master password/"
        "master key/pin code"
    ),
    "secret-file": (
        "id rsa/id ed25519/id ecdsa/id dsa/authorized keys/etc passwd/etc shadow/ssh config/"
        "aws credentials/aws config/claude desktop config/cursor mcp/bash history/"
        "zsh history/netrc/npmrc/pypirc/kube config/docker config json/git credentials/"
        "credentials json/secrets json/secrets yaml/secrets yml/login data/wallet dat/gnupg/"
        "proc self/credentials db/id rsa pub/gcloud credentials/dotenv/pgpass/"
        "my cnf/htpasswd/terraform tfstate/vault token"
    ),
    "context": (
        "dialogue with/the dialogue/dialog history/chat transcript/our conversation/"
        "conversation with/last user message/user message/conversation history/chat history/"
        "message history/conversation context/full conversation/entire conversation/"
        "whole conversation/previous messages/prior messages/all messages/"
        "conversation so far/conversation transcript/user's messages/user messages/"
        "user's prompt/original prompt/system prompt/system instructions/system message/"
        "your instructions/your prompt/initial prompt/developer message/your context/"
        "context window/chat log/chat logs/message log/list of tools/available tools/"
        "other tools/all tools/tool list/tool calls/tools available/tools you/"
        "reasoning trace/chain of thought/model name/llm model/name of the model/"
        "name of the llm/your model"
    ),
    "personal": (
        "phone number/home address/email address/personal data/personal information/"
        "personal details/date of birth/medical records/health records/bank account/contacts/"
        "customer data/client data/patient data/user data/student data/sensitive data/"
        "sensitive information/private data/private information/confidential data/"
        "confidential information/user information/employee records/financial data/"
        "local files/user's files/all files/every file/file contents/contents of files/"
        "files in/workspace/working directory/source code/home directory"
    ),
    # what is done with it
    "read": (
        "walk~/crawl~/inspect~/sweep~/looks for/export/exports/exporting/read~/open~/cat/"
        "collect~/gather~/harvest~/retrieve~/access~/load~/extract~/dump~/scrape~/grab~/"
        "grabbed/grabbing/steal~/stole/stolen/capture~/copy/copies/copied/copying/fetch~/"
        "enumerate~/scan/scans/scanned/search/list/obtain~/look up/pull/pulls/record~/log/"
        "logs"
    ),
    "send": (
        "send~/sent/forward~/post/posts/posted/posting/upload~/email/emails/emailed/emailing/"
        "bcc/cc/transmit/transmits/transmitted/transmitting/exfiltrate~/leak~/ship/ships/"
        "relay~/submit/submits/push/pushes/deliver~/mirror~/beacon~/report/sync/syncs/notify/"
        "make a request/issue a request/stream/streams/route/routes/routed"
    ),
    "strictly-send": (
        "send/sends/sending/forward/forwards/forwarding/upload/uploads/uploading/bcc/"
        "transmit/transmits/transmitting/exfiltrate~/leak/leaks/leaking/beacon/relay/relays/"
        "mirror/mirrors/post/posts/email/emails"
    ),
    "sent": (
        "retained/exported/sent/forwarded/posted/uploaded/emailed/mailed/copied to/delivered/"
        "reported/mirrored/relayed/transmitted/visit/redirect to/navigate to/request to"
    ),
    "format": "format/example/examples/e g/form/where",
    "attach": (
        "include~/contain/contains/containing/contained/append~/attach~/pass/passes/passed/"
        "passing/insert~/embed/embeds/embedded/embedding/put/puts/add/adds/encode~/prepend~/"
        "place~/write/writes/writing/written/store/stores/fill/fills/supply/supplies/"
        "provide~/paste/pastes/output/outputs/return/returns/save/saves/print/prints/copy/"
        "copies/populate~"
    ),
    "field": (
        "parameter/parameters/argument/arguments/field/fields/sidenote/note/notes/payload/"
        "body/header/headers/request/metadata/output/response/result/message/comment"
    ),
    # whose word counts
    "override": (
        "ignore/ignores/ignoring/disregard~/forget/forgets/override/overrides/overriding/"
        "overrule~/supersede~/circumvent~/discard/discards/discarding/bypass/bypasses/"
        "bypassing/replace/replaces/neglect/abandon/drop/suspend/cancel/nullify/void/disable/"
        "disables"
    ),
    "prior": (
        "previous/prior/earlier/above/preceding/former/existing/original/other/all/any/"
        "system/safety/your/these/those/default/initial/given/current/security/user's/content"
    ),
    "rules": (
        "instruction/instructions/rules/guidelines/guideline/prompt/prompts/directions/"
        "directives/directive/guardrails/guardrail/constraints/policies/policy/restrictions/"
        "commands/training/orders/safeguards/safety/protocols/filters/checks/controls/"
        "limitations"
    ),
    "takes-over": (
        "takes precedence/take precedence/higher priority/highest priority/top priority/"
        "overrides all/override all/supersedes all/supersede all/overrides any/override any/"
        "supersedes any/above all/priority over/precedence over/overrides the/supersedes the/"
        "this supersedes/replaces all/absolute priority/maximum priority/overrides other/"
        "this overrides/instead of any"
    ),
    "over-others": (
        "instead of/rather than/in place of/over other/over others/over any other/"
        "over all other/do not use other/don't use other/never use other/not any other/"
        "no other/not other/avoid using other/not use any other/in preference to/"
        "before any other/before all other/before other/other tools/another tool/"
        "alternatives/other similar/ones/other search/other servers/competing/deprecated/"
        "obsolete/unreliable/outdated"
    ),
    "best": (
        "best/superior/better/most reliable/most accurate/most trusted/preferred/"
        "only trusted/only reliable/only valid/only correct/only safe/only tool/"
        "only official/number one/most powerful/most advanced/most secure/fastest/greatest/"
        "ultimate/finest/unmatched/unrivaled"
    ),
    "prefer": (
        "prefer~/favor~/choose/select/pick/prioritize~/prioritise~/always use/must use/"
        "only use/use only/exclusively/solely/always choose/always select/always call/"
        "default to/should be used/use this/be used"
    ),
    # other tools
    "tool": "tool/tools/function/functions/command/commands/api/server/servers/plugin/operation",
    "call": (
        "use/uses/used/using/call/calls/called/calling/invoke~/run/runs/running/execute~/"
        "trigger~/perform~/launch~"
    ),
    # changing what is done
    "tamper": (
        "replace~/change/changes/changed/changing/modify/modifies/modified/modifying/"
        "override/overrides/alter~/substitute~/redirect~/reroute~/swap/swaps/swapped/rewrite/"
        "rewrites/overwrite/overwrites/divert~/manipulate~/tamper~/falsify/falsifies/forge/"
        "forges/inject/injects/injected/injecting/increase/reduce/double/multiply/spoof~/"
        "corrupt/corrupts/set/sets/adjust/hijack~"
    ),
    "harm": (
        "tamper~/falsify/falsifies/forge/forges/inject/injects/hijack~/sabotage~/exfiltrate~/"
        "steal~/theft/fraud/fraudulent/malicious/malware/ransomware/backdoor/backdoors/"
        "keylogger/rootkit/spyware/trojan/corrupt/corrupts/disrupt~/disruption/undermine~/"
        "unauthorized/illegal/illegally/illicit/blackmail/extort~/embezzle~/launder~/"
        "plagiarize~/counterfeit/leak/leaks/deceptive/deceive~/misleading/mislead~/spoof~/"
        "phish~/phishing/vandalize~/defame~/hijacking/manipulation/espionage/divert~/"
        "diversion/breach/breaches/falsified/fabricate~/compromise/compromises/"
        "interfere~/interference/cripple~/impair~/harm~"
    ),
    "subject": (
        "recipient/recipients/amount/address/destination/path/value/values/parameter/"
        "parameters/argument/arguments/content/contents/quantity/price/result/results/output/"
        "outputs/response/responses/url/account/input/inputs/file/files/message/messages/"
        "wallet/currency/location/code/payment/query/data/number/records/logs/decision"
    ),
    # machines
    "shell": (
        "chmod/chown/curl/wget/bash/sudo/powershell/netcat/crontab/mkfifo/nohup/rm rf/"
        "base64 d/sh c/bash c/python c/eval/invoke expression/iex/scp/rsync/mkfs/"
        "kill 9/dd if/ncat/socat/telnet/systemctl/useradd/passwd/visudo/iptables/"
        "launchctl/reverse shell/rm r/rm/drop table/drop database/delete all files"
    ),
    "delete": (
        "delete~/remove~/wipe~/erase~/destroy~/purge~/truncate/truncates/drop/drops/kill~/"
        "terminate~/disable~/uninstall~/format/shut down/shuts down/stop/stops/exhaust~/"
        "flood~/crash~"
    ),
    # why
    "lever": (
        "otherwise/or else/will fail/fails/won't work/will not work/not work/not function/"
        "will be rejected/for compliance/compliance/audit/auditing/telemetry/diagnostic/"
        "diagnostics/for security purposes/security purposes/for verification/"
        "for authentication/for logging/for logging purposes/for debugging/for analytics/"
        "quality assurance/legal requirement/required by law/company policy/security policy/"
        "for optimization/to function/to work/for validation/validation purposes/"
        "integrity check/to verify/to authenticate/to validate/proxying/for backup/"
        "for caching/performance optimization/data retention/for training"
    ),
    "urgent": (
        "urgent/urgently/critical/important/immediately/attention/warning/mandatory/"
        "emergency/asap/highest/essential/imperative/vital"
    ),
    "external": (
        "external/remote/third party/attacker/webhook/endpoint/server/outside/address/"
        "collector/proxy/domain/channel/ip"
    ),
    "from-user": (
        "from user/from the user/from the system/from system/from your developer/"
        "from the developer/from developers/from admin/from administrator/from anthropic/"
        "from openai/message from/signed"
    ),
}

INDEX: Final = {meaning: number for number, meaning in enumerate(MEANINGS)}


def _forms(entry: str) -> Iterator[str]:
    """All forms of one entry."""
    if not entry.endswith("~"):
        yield entry
        return
    verb = entry[:-1]
    yield verb
    if verb.endswith("e"):
        yield from (f"{verb}s", f"{verb}d", f"{verb[:-1]}ing")
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        yield from (f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing")
    elif verb.endswith(("s", "sh", "ch", "x")):
        yield from (f"{verb}es", f"{verb}ed", f"{verb}ing")
    else:
        yield from (f"{verb}s", f"{verb}ed", f"{verb}ing")


Phrases = dict[str, list[tuple[tuple[str, ...], tuple[int, ...]]]]


def _compiled() -> tuple[dict[str, tuple[int, ...]], Phrases]:
    """Single words, and phrases by their first word with the rest of each."""
    gathered: dict[tuple[str, ...], list[int]] = {}
    for meaning, entries in MEANINGS.items():
        for entry in entries.split("/"):
            for form in _forms(entry):
                gathered.setdefault(tuple(form.split()), []).append(INDEX[meaning])
    words = {key[0]: tuple(ones) for key, ones in gathered.items() if len(key) == 1}
    phrases: Phrases = {}
    for key, ones in gathered.items():
        if len(key) > 1:
            phrases.setdefault(key[0], []).append((key[1:], tuple(ones)))
    return words, phrases


WORDS, PHRASES = _compiled()
