"""The page behind an unsubscribe link: no script, no picture, nothing from another host."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from consent_filter.marketing import CHANNELS

#: How a reader calls each channel: "marketing …".
WORDS = {
    "email": "by e-mail",
    "post": "by post",
    "sms": "by text message",
    "phone": "by telephone",
    "account": "in your account",
    "adverts": "through adverts chosen for you",
    "affiliate_email": "of affiliates by e-mail",
    "affiliate_post": "of affiliates by post",
    "affiliate_sms": "of affiliates by text message",
    "affiliate_phone": "of affiliates by telephone",
    "affiliate_account": "of affiliates in your account",
    "referral": "because a member has named you",
}
_ALL = (
    "Marketing in every way: our own and that of affiliates, by e-mail, by post, by text message, by"
    " telephone, in your account, through adverts chosen for you, and because a member has named you."
)
_STYLE = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif }
body { margin: 0; padding: 1.5rem; background: Canvas; color: CanvasText }
main { max-width: 34rem; margin: 0 auto }
button { font: inherit; padding: .75rem 1.25rem; min-height: 3rem; max-width: 100%; border-radius: .4rem;
  border: 2px solid CanvasText; background: Canvas; color: CanvasText; cursor: pointer }
button.first { background: CanvasText; color: Canvas }
:focus-visible { outline: 3px solid Highlight; outline-offset: 3px }
form { margin: 1.5rem 0 }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: With every answer: nothing is loaded, framed, indexed, or told where it came from (the link is a secret).
HEAD = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "vary": "accept",
}


def asks(site: str, channels: Sequence[str]) -> str:
    """Whether to stop, with a button for what the link is for and one for everything."""
    how = _listed(channels)
    return page(
        "Unsubscribe",
        f"<h1>Unsubscribe</h1><p>Nothing has been changed yet. Press a button, and {_name(site)} stops.</p>"
        + _button("One-Click", f"Stop marketing {how}", "first")
        + _everything(channels),
    )


def done(site: str, channels: Sequence[str]) -> str:
    """That it is so from now on."""
    return page(
        "Unsubscribed",
        f"<h1>Unsubscribed</h1><p>{_name(site)} stops marketing {_listed(channels)}. This holds from now on;"
        " what is on its way may still arrive. Messages that are no marketing may come as before.</p>"
        + _everything(channels),
    )


def wrong(message: str) -> str:
    """Why nothing was changed."""
    return page(
        "Not unsubscribed",
        f"<h1>Not unsubscribed</h1><p>Nothing was changed: {escape(message)}.</p>"
        "<p>Open the whole link of the message again, or write to its sender.</p>",
    )


def _everything(channels: Sequence[str]) -> str:
    if set(channels) == set(CHANNELS):
        return ""
    return _button("All", "Stop all marketing", "", _ALL)


def _button(value: str, text: str, kind: str, more: str = "") -> str:
    described = f' aria-describedby="{value}"' if more else ""
    says = f'<p id="{value}">{more}</p>' if more else ""
    return (
        f'<form method="post">{says}<button class="{kind}" name="List-Unsubscribe" value="{value}"'
        f"{described}>{text}</button></form>"
    )


def _name(site: str) -> str:
    return f"<strong>{escape(site)}</strong>"


def _listed(channels: Sequence[str]) -> str:
    *most, last = (WORDS[name] for name in channels)
    return f"{', '.join(most)} and {last}" if most else last


def page(title: str, main: str) -> str:
    """A page of this kind: title and what stands on it, both as HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>{main}</main></body></html>"
    )
