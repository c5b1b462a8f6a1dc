"""The pages: the magic numbers, and the phone that rings. Nothing inline: a strict policy holds."""

from __future__ import annotations

from html import escape
from typing import Any

from django_voicepassword.sandbox.outcomes import ORDINARY, OUTCOMES

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="/static/sandbox.css">{head}</head>
<body><header><strong>VoicePassword sandbox</strong>
<nav><a href="/">Numbers</a> <a href="/phone/">Phone</a></nav></header>
<p class="warning">For development only: nobody is called, nothing is paid.</p><main>{main}</main></body></html>"""


def front_page(api_url: str) -> str:
    """How to use it, and the table of magic numbers."""
    rows = "".join(
        f'<tr><td><a href="/phone/?number={number}">{number}</a></td><td>{escape(one.about)}</td></tr>'
        for number, one in OUTCOMES.items()
    )
    main = (
        f"<h1>Magic numbers</h1><p>API address: <code>{escape(api_url)}</code></p>"
        "<table><thead><tr><th scope=col>Number</th><th scope=col>What happens</th></tr></thead>"
        f"<tbody>{rows}</tbody></table><p>{escape(ORDINARY.about.capitalize())}.</p>"
    )
    return _PAGE.format(title="VoicePassword sandbox", head="", main=main)


def phone_page(calls: list[dict[str, Any]], number: str) -> str:
    """Incoming calls and texts, newest first; live where JavaScript runs."""
    head = (
        '<script type="module" src="/static/sandbox.js"></script>'
        '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    )
    main = (
        '<h1>Phone</h1><form class="filter"><label for="number">Number</label> '
        f'<input id="number" name="number" inputmode="tel" value="{escape(number)}"> <button>Show</button></form>'
        f'<div id="calls" aria-live="polite">{phone_rows(calls)}</div>'
    )
    return _PAGE.format(title="Phone – VoicePassword sandbox", head=head, main=main)


def phone_rows(calls: list[dict[str, Any]]) -> str:
    """The list alone, which the page's script puts in place."""
    if not calls:
        return '<p class="quiet">No call yet.</p>'
    return "".join(_row(call) for call in reversed(calls[-50:]))


def _row(call: dict[str, Any]) -> str:
    ringing = " ringing" if call["state"] == "DIALING" else ""
    time = escape(call["date"][11:19])
    if call["channel"] == "sms":
        told = f'<p class="bubble">{_marked(call["text"], call["code"])}</p>'
    elif call["channel"] == "voice":
        spoken = f"“{call['says']}”" if call["says"] else ""
        told = f'<p class="from">+{escape(call["from"])}</p><p class="bubble">{escape(spoken)}</p>'
    else:
        head, digits = call["from"][: -len(call["code"])], call["from"][-len(call["code"]) :]
        told = f'<p class="from">+{escape(head)}<mark>{escape(digits)}</mark></p>'
    kind = {"sms": "SMS", "voice": "Voice call", "flashcall": "Flash call"}[call["channel"]]
    return (
        f'<article class="call {escape(call["channel"])}{ringing}"><h2>{kind} to +{escape(call["number"])}</h2>{told}'
        f'<p class="quiet">{time} · {escape(call["state"].lower())} · {escape(call["price"])} ₽</p></article>'
    )


def _marked(text: str, code: str) -> str:
    return escape(text).replace(escape(code), f"<mark>{escape(code)}</mark>")
