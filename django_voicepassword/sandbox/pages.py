"""The pages: the magic numbers, and the phone that rings. Nothing inline: a strict policy holds."""

from __future__ import annotations

from html import escape
from typing import Any

from django_voicepassword.sandbox.magic_numbers import GROUPS, ORDINARY, OUTCOMES
from django_voicepassword.sandbox.simulator import Exchange

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="/static/sandbox.svg"><link rel="stylesheet" href="/static/sandbox.css">{head}
</head><body><header><strong>VoicePassword sandbox</strong>
<nav aria-label="Pages"><a href="/phone/"{phone}>Phone</a> <a href="/"{front}>Numbers</a></nav></header>
<main>{main}</main>
<footer>For development only: nobody is called, nothing is paid.</footer></body></html>"""
_CURRENT = ' aria-current="page"'

_KINDS = {"sms": "SMS", "voice": "Voice call", "flashcall": "Flash call"}
_STATES = {
    "DIALING": "ringing",
    "ANSWERED": "answered",
    "NO ANSWER": "not answered",
    "BUSY": "busy",
    "CANCEL": "canceled",
    "FAIL": "failed",
    "QUEUED": "queued",
    "SEND": "sent",
    "DELIVERED": "delivered",
    "NOT DELIVERED": "not delivered",
}


def front_page(api_url: str, exchange: Exchange) -> str:
    """How to use it, and the table of magic numbers."""
    groups = "".join(
        f'<h3>{title}</h3><table><thead class="unseen"><tr><th scope="col">Number</th><th scope="col">What happens</th>'
        f"</tr></thead><tbody>{_magic_rows(digit)}</tbody></table>"
        for digit, title in GROUPS.items()
    )
    main = f"""<h1>An imitated provider</h1>
<p>A project that calls through this address rings the <a href="/phone/">phone</a> of this page, and nobody else:</p>
<pre>VOICEPASSWORD = {{
    "API_URL": "{escape(api_url)}",
    "API_KEY": "{escape(exchange.key)}",
    # where reports are sent; without it states are asked for
    "CALLBACK_BASE_URL": "http://127.0.0.1:8000",
}}</pre>
<p>Balance: {exchange.balance:.2f} ₽. It is set by
<code>curl -d '{{"balance": "0.10"}}' {escape(api_url.partition("/api/")[0])}/control/balance</code></p>
<h2>Magic numbers</h2>
<p>What happens is told by the number that is called. {escape(ORDINARY.about[0].upper() + ORDINARY.about[1:])}.</p>{groups}"""
    return _PAGE.format(title="VoicePassword sandbox", head="", main=main, phone="", front=_CURRENT)


def _magic_rows(digit: str) -> str:
    return "".join(
        f'<tr><td><a href="/phone/?number={number}">{spelled(number)}</a></td><td>{escape(one.about)}</td></tr>'
        for number, one in OUTCOMES.items()
        if number[-3] == digit
    )


def phone_page(calls: list[dict[str, Any]], number: str) -> str:
    """Incoming calls and texts, newest first; live where JavaScript runs."""
    head = '<script type="module" src="/static/sandbox.js"></script><noscript><meta http-equiv="refresh" content="3"></noscript>'
    everybody = '<a href="/phone/">all numbers</a>' if number else ""
    main = (
        '<h1>Phone</h1><form class="filter" role="search"><label for="number">Only calls to</label> '
        f'<input id="number" name="number" type="tel" autocomplete="off" value="{escape(spelled(number))}"> '
        f"<button>Show</button> {everybody}</form>"
        f'<div id="calls" role="log" aria-label="Calls and texts">{phone_rows(calls, number)}</div>'
    )
    return _PAGE.format(
        title="Phone – VoicePassword sandbox", head=head, main=main, phone=_CURRENT, front=""
    )


def phone_rows(calls: list[dict[str, Any]], number: str = "") -> str:
    """The list alone, which the page's script puts in place."""
    if calls:
        return "".join(_row(call) for call in reversed(calls))
    whom = f" to {escape(spelled(number))}" if number else ""
    told = f"No call{whom} yet.<br>Ask for a code on the login page of your project: it rings here."
    return f'<p class="empty" data-key="empty">{told}</p>'


def _row(call: dict[str, Any]) -> str:
    state = call["state"]
    looks = "ringing" if state == "DIALING" else "bad" if state in ("FAIL", "NOT DELIVERED") else ""
    if call["channel"] == "sms":
        told = f'<p class="bubble">{_marked(call["text"], call["code"])}</p>'
    elif call["channel"] == "voice":
        spoken = f"“{_marked(call['says'], ' '.join(call['code']))}”" if call["says"] else ""
        told = f'<p class="from">{escape(spelled(call["from"]))}</p><p class="bubble">{spoken}</p>'
    else:
        told = f'<p class="from">{_calling(call["from"], call["code"])}</p>'
    return (
        f'<article class="call {escape(call["channel"])} {looks}" data-key="{escape(call["date"])}">'
        f"<h2>{_KINDS[call['channel']]} to {escape(spelled(call['number']))}</h2>{told}"
        f'<p class="quiet"><time datetime="{escape(call["date"])}">{escape(call["date"][11:19])} in Moscow</time> · '
        f'<span class="state">{escape(_STATES.get(state, state.lower()))}</span> · {escape(call["price"])} ₽</p></article>'
    )


def spelled(number: str) -> str:
    """A number as a person reads it: ``+7 999 000-00-01``."""
    if len(number) == 11 and number[0] == "7":
        return f"+7 {number[1:4]} {number[4:7]}-{number[7:9]}-{number[9:]}"
    return f"+{number}" if number else ""


def _calling(number: str, code: str) -> str:
    """The calling number, its last digits, which are the code, marked and in one piece."""
    head = number[: -len(code)]
    grouped = " ".join(part for part in (f"+{head[:1]}", head[1:4], head[4:]) if part)
    return f'{escape(grouped)} <mark title="the code">{escape(number[-len(code) :])}</mark>'


def _marked(text: str, code: str) -> str:
    return escape(text).replace(escape(code), f"<mark>{escape(code)}</mark>")
