"""The pages of the sandbox: the magic numbers, and the phone that rings.

``languages`` is the header Accept-Language: the pages are in English and Russian. They have no
inline scripts and styles, which the Content-Security-Policy forbids.
"""

from __future__ import annotations

from html import escape

from django_voicepassword.sandbox.calls import Call
from django_voicepassword.sandbox.magic_numbers import GROUPS, ORDINARY, OUTCOMES
from django_voicepassword.sandbox.russian import Say, said_for
from django_voicepassword.sandbox.simulator import Exchange

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="/static/sandbox.svg">
<link rel="stylesheet" href="/static/sandbox.css">{head}
</head><body><header><strong>{name}</strong>
<nav aria-label="{pages}"><a href="/phone/"{phone}>{phone_label}</a>
<a href="/"{front}>{front_label}</a></nav>
</header>
<main>{main}</main>
<footer>{footer}</footer></body></html>"""
_CURRENT = ' aria-current="page"'
_NAME = "VoicePassword sandbox"
_INTRODUCTION = "A project with this address as its provider rings this {phone}, and nobody else:"

_KINDS = {
    "sms": "SMS to {number}",
    "voice": "Voice call to {number}",
    "flashcall": "Flash call to {number}",
}
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


def front_page(api_url: str, exchange: Exchange, languages: str = "") -> str:
    """How to use the sandbox, and the table of magic numbers."""
    language, say = said_for(languages)
    groups = "".join(
        f'<h3>{say(title)}</h3><table><thead class="unseen"><tr>'
        f'<th scope="col">{say("Number")}</th><th scope="col">{say("What happens")}</th>'
        "</tr></thead>"
        f"<tbody>{_magic_rows(digit, say)}</tbody></table>"
        for digit, title in GROUPS.items()
    )
    about = escape(say(ORDINARY.about))
    site = escape(api_url.partition("/api/")[0])
    phone = f'<a href="/phone/">{say("phone")}</a>'
    balance = say("Balance: {balance} ₽. To set it:").format(balance=f"{exchange.balance:.2f}")
    main = f"""<h1>{say("An imitated provider")}</h1>
<p>{say(_INTRODUCTION).format(phone=phone)}</p>
<pre>VOICEPASSWORD = {{
    "API_URL": "{escape(api_url)}",
    "API_KEY": "{escape(exchange.key)}",
    # {say("Where callbacks are sent; without it the project polls the states.")}
    "CALLBACK_BASE_URL": "http://127.0.0.1:8000",
}}</pre>
<p>{balance} <code>curl -d '{{"balance": "0.10"}}' {site}/control/balance</code></p>
<h2>{say("Magic numbers")}</h2>
<p>{say("The number that is called decides what happens.")}
{about[0].upper() + about[1:]}.</p>
{groups}"""
    return _page(language, say, title=say(_NAME), main=main, front=_CURRENT)


def _magic_rows(digit: str, say: Say) -> str:
    return "".join(
        f'<tr><td><a href="/phone/?number={number}">{spelled(number)}</a></td>'
        f"<td>{escape(say(outcome.about))}</td></tr>"
        for number, outcome in OUTCOMES.items()
        if number[-3] == digit
    )


def phone_page(calls: list[Call], number: str, languages: str = "") -> str:
    """Incoming calls and SMS, newest first. With JavaScript the page updates itself."""
    language, say = said_for(languages)
    head = (
        '<script type="module" src="/static/sandbox.js"></script>'
        '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    )
    all_numbers = f'<a href="/phone/">{say("all numbers")}</a>' if number else ""
    main = (
        f'<h1>{say("Phone")}</h1><form class="filter" role="search">'
        f'<label for="number">{say("Only calls to")}</label> '
        '<input id="number" name="number" type="tel" autocomplete="off" '
        f'value="{escape(spelled(number))}"> '
        f"<button>{say('Show')}</button> {all_numbers}</form>"
        f'<div id="calls" role="log" aria-label="{say("Calls and texts")}">'
        f"{phone_rows(calls, number, languages)}</div>"
    )
    title = f"{say('Phone')} – {say(_NAME)}"
    return _page(language, say, title=title, head=head, main=main, phone=_CURRENT)


def _page(
    language: str,
    say: Say,
    *,
    title: str,
    main: str,
    head: str = "",
    phone: str = "",
    front: str = "",
) -> str:
    return _PAGE.format(
        language=language,
        title=title,
        head=head,
        name=say(_NAME),
        pages=say("Pages"),
        phone=phone,
        phone_label=say("Phone"),
        front=front,
        front_label=say("Numbers"),
        main=main,
        footer=say("For development only: nobody is called, nothing is paid."),
    )


def phone_rows(calls: list[Call], number: str = "", languages: str = "") -> str:
    """The list alone, which the script of the page fetches."""
    _, say = said_for(languages)
    if calls:
        return "".join(_row(call, say) for call in reversed(calls))
    nothing = say("No call to {number} yet." if number else "No call yet.")
    return (
        f'<p class="empty" data-key="empty">{nothing.format(number=escape(spelled(number)))}<br>'
        f"{say('Ask for a code on the login page of your project: it rings here.')}</p>"
    )


def _row(call: Call, say: Say) -> str:
    looks = {"DIALING": "ringing", "FAIL": "bad", "NOT DELIVERED": "bad"}.get(call.state, "")
    date = escape(call.date.isoformat())
    state = escape(say(_STATES.get(call.state, call.state.lower())))
    title = say(_KINDS[call.channel]).format(number=escape(spelled(call.number)))
    time = say("{time} in Moscow").format(time=f"{call.date:%H:%M:%S}")
    return (
        f'<article class="call {escape(call.channel)} {looks}" data-key="{date}">'
        f"<h2>{title}</h2>{_content(call, say)}"
        f'<p class="quiet"><time datetime="{date}">{time}</time> · '
        f'<span class="state">{state}</span> · {escape(call.price)} ₽</p></article>'
    )


def _content(call: Call, say: Say) -> str:
    """What the person called sees or hears; the code is marked."""
    if call.channel == "sms":
        return f'<p class="bubble">{_marked(call.text, call.code)}</p>'
    if call.channel == "voice":
        words = f"“{_marked(call.speech, ' '.join(call.code))}”" if call.speech else ""
        calling_number = escape(spelled(call.calling_number))
        return f'<p class="from">{calling_number}</p><p class="bubble">{words}</p>'
    return f'<p class="from">{_calling_number(call.calling_number, call.code, say)}</p>'


def spelled(number: str) -> str:
    """A number as people write it: ``+7 999 000-00-01``."""
    if len(number) == 11 and number[0] == "7":
        return f"+7 {number[1:4]} {number[4:7]}-{number[7:9]}-{number[9:]}"
    return f"+{number}" if number else ""


def _calling_number(number: str, code: str, say: Say) -> str:
    """The calling number. Its last digits are the code, marked and not split by spaces."""
    head = number[: -len(code)]
    grouped = " ".join(part for part in (f"+{head[:1]}", head[1:4], head[4:]) if part)
    return (
        f'{escape(grouped)} <mark title="{say("the code")}">{escape(number[-len(code) :])}</mark>'
    )


def _marked(text: str, code: str) -> str:
    return escape(text).replace(escape(code), f"<mark>{escape(code)}</mark>")
