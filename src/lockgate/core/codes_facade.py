"""The errors of the gateway's own authorization server, a part of the table in `codes`.

Must not know: how any of them comes about, or how they are shown.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import LATER, NEVER, NO, Entry

# fmt: off
FACADE: Final = (
    Entry(475, "facade-client", "client", NEVER, (400, 401), (400, 401), NO,
          "The app that asks is not known to this gateway, or does not prove who it is.",
          "Connect the app again, so that it registers anew."),
    Entry(476, "facade-redirect", "client", NEVER, 400, 400, NO,
          "The app wants people sent to an address it did not, or may not, register.",
          "Register the exact redirect URI: https, or http on loopback, where any port will do."),
    Entry(477, "facade-request", "client", NEVER, 400, 400, NO,
          "The app's request for authorization or for tokens is not one that can be served.",
          "Update the app; if it persists, tell whoever makes it."),
    Entry(478, "facade-consent", "client", NEVER, 400, 400, NO,
          "An answer to the consent page is not of this browser, too old, or a second one.",
          "Start connecting again from the app."),
    Entry(479, "facade-login", "client", NEVER, 400, 400, NO,
          "Somebody comes back from the identity provider whose login did not begin here.",
          "Start connecting again from the app, and stay in one browser."),
    Entry(480, "facade-provider", "environment", NEVER, 302, 302, NO,
          "The identity provider did not let the person in, or its answer does not hold.",
          "Start again; if it persists, look for the reason in the gateway's log."),
    Entry(481, "facade-provider-away", "environment", NEVER, 503, 503, LATER,
          "The identity provider cannot be reached.",
          "Try again in a moment; the gateway's log says what is in the way."),
    Entry(482, "facade-grant", "client", NEVER, 400, 400, NO,
          "A code or refresh token is not valid, over, or not for this client.",
          "Log in again from the app."),
    Entry(483, "facade-grant-reused", "client", NEVER, 400, 400, NO,
          "A code or refresh token came a second time, so the login it came from is over.",
          "Log in again; if nobody used the app twice at once, tokens may have been stolen."),
    Entry(484, "facade-registration", "client", NEVER, 400, 400, NO,
          "The metadata an app registers with cannot be accepted.",
          "The description says what is wrong with it."),
    Entry(485, "facade-document", "client", NEVER, (400, 401), (400, 401), NO,
          "The document that describes an app cannot be had, or describes another app.",
          "Whoever makes the app corrects the document at the URL it names."),
    Entry(486, "facade-store", "environment", NEVER, 503, 503, LATER,
          "The store that holds what was granted cannot be reached, so nothing is granted.",
          "Try again in a moment; whoever runs the gateway looks after lockgate.store."),
    Entry(487, "facade-busy", "policy", NEVER, 429, 429, LATER,
          "One address asks the authorization server too often.",
          "Wait a minute; whoever runs the gateway can raise lockgate.facade.rates."),
)
# fmt: on
