"""The pages of the sandbox: the magic numbers, and the phone that rings.

They have no inline scripts and styles, which the Content-Security-Policy forbids.
"""

from __future__ import annotations

from html import escape

from django_voicepassword.sandbox.calls import Call
from django_voicepassword.sandbox.magic_numbers import GROUPS, ORDINARY, OUTCOMES
from django_voicepassword.sandbox.simulator import Exchange

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="/static/sandbox.svg">
<link rel="stylesheet" href="/static/sandbox.css">{head}
</head><body><header><strong>VoicePassword sandbox</strong>
<nav aria-label="Pages"><a href="/phone/"{phone}>Phone</a> <a href="/"{front}>Numbers</a></nav>
</header>
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
    """How to use the sandbox, and the table of magic numbers."""
    groups = "".join(
        f'<h3>{title}</h3><table><thead class="unseen"><tr><th scope="col">Number</th>'
        '<th scope="col">What happens</th></tr></thead>'
        f"<tbody>{_magic_rows(digit)}</tbody></table>"
        for digit, title in GROUPS.items()
    )
    about = ORDINARY.about[0].upper() + ORDINARY.about[1:]
    site = escape(api_url.partition("/api/")[0])
    main = f"""<h1>An imitated provider</h1>
<p>A project with this address as its provider rings the <a href="/phone/">phone</a> of this page,
and nobody else:</p>
<pre>VOICEPASSWORD = {{
    "API_URL": "{escape(api_url)}",
    "API_KEY": "{escape(exchange.key)}",
    # Where callbacks are sent; without it the project polls the states.
    "CALLBACK_BASE_URL": "http://127.0.0.1:8000",
}}</pre>
<p>Balance: {exchange.balance:.2f} ₽. To set it:
<code>curl -d '{{"balance": "0.10"}}' {site}/control/balance</code></p>
<h2>Magic numbers</h2>
<p>The number that is called decides what happens. {escape(about)}.</p>{groups}"""
    return _PAGE.format(title="VoicePassword sandbox", head="", main=main, phone="", front=_CURRENT)


def _magic_rows(digit: str) -> str:
    return "".join(
        f'<tr><td><a href="/phone/?number={number}">{spelled(number)}</a></td>'
        f"<td>{escape(outcome.about)}</td></tr>"
        for number, outcome in OUTCOMES.items()
        if number[-3] == digit
    )


def phone_page(calls: list[Call], number: str) -> str:
    """Incoming calls and SMS, newest first. With JavaScript the page updates itself."""
    head = (
        '<script type="module" src="/static/sandbox.js"></script>'
        '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    )
    all_numbers = '<a href="/phone/">all numbers</a>' if number else ""
    main = (
        '<h1>Phone</h1><form class="filter" role="search">'
        '<label for="number">Only calls to</label> '
        '<input id="number" name="number" type="tel" autocomplete="off" '
        f'value="{escape(spelled(number))}"> '
        f"<button>Show</button> {all_numbers}</form>"
        '<div id="calls" role="log" aria-label="Calls and texts">'
        f"{phone_rows(calls, number)}</div>"
    )
    return _PAGE.format(
        title="Phone – VoicePassword sandbox", head=head, main=main, phone=_CURRENT, front=""
    )


def phone_rows(calls: list[Call], number: str = "") -> str:
    """The list alone, which the script of the page fetches."""
    if calls:
        return "".join(_row(call) for call in reversed(calls))
    to = f" to {escape(spelled(number))}" if number else ""
    return (
        f'<p class="empty" data-key="empty">No call{to} yet.<br>'
        "Ask for a code on the login page of your project: it rings here.</p>"
    )


def _row(call: Call) -> str:
    looks = {"DIALING": "ringing", "FAIL": "bad", "NOT DELIVERED": "bad"}.get(call.state, "")
    date = escape(call.date.isoformat())
    state = escape(_STATES.get(call.state, call.state.lower()))
    return (
        f'<article class="call {escape(call.channel)} {looks}" data-key="{date}">'
        f"<h2>{_KINDS[call.channel]} to {escape(spelled(call.number))}</h2>{_content(call)}"
        f'<p class="quiet"><time datetime="{date}">{call.date:%H:%M:%S} in Moscow</time> · '
        f'<span class="state">{state}</span> · {escape(call.price)} ₽</p></article>'
    )


def _content(call: Call) -> str:
    """What the person called sees or hears; the code is marked."""
    if call.channel == "sms":
        return f'<p class="bubble">{_marked(call.text, call.code)}</p>'
    if call.channel == "voice":
        words = f"“{_marked(call.speech, ' '.join(call.code))}”" if call.speech else ""
        calling_number = escape(spelled(call.calling_number))
        return f'<p class="from">{calling_number}</p><p class="bubble">{words}</p>'
    return f'<p class="from">{_calling_number(call.calling_number, call.code)}</p>'


def spelled(number: str) -> str:
    """A number as people write it: ``+7 999 000-00-01``."""
    if len(number) == 11 and number[0] == "7":
        return f"+7 {number[1:4]} {number[4:7]}-{number[7:9]}-{number[9:]}"
    return f"+{number}" if number else ""


def _calling_number(number: str, code: str) -> str:
    """The calling number. Its last digits are the code, marked and not split by spaces."""
    head = number[: -len(code)]
    grouped = " ".join(part for part in (f"+{head[:1]}", head[1:4], head[4:]) if part)
    return f'{escape(grouped)} <mark title="the code">{escape(number[-len(code) :])}</mark>'


def _marked(text: str, code: str) -> str:
    return escape(text).replace(escape(code), f"<mark>{escape(code)}</mark>")
