"""A rule for the value of each key of VOICEPASSWORD: how to check it, and how to describe it."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django_voicepassword import limits, phones
from django_voicepassword.exceptions import InvalidPhone
from django_voicepassword.provider.client import is_loopback

CHANNELS = ("flashcall", "voice", "sms")


class Rule(NamedTuple):
    #: May also raise TypeError or ValueError for a wrong value.
    is_valid: Callable[[object], bool]
    #: Completes the sentence "It must be …".
    description: str


def is_plain_http(url: str) -> bool:
    """Would a request to ``url`` leave this machine without TLS?"""
    return urlsplit(url).scheme == "http" and not is_loopback_url(url)


def is_loopback_url(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _is_count(value: object, least: int = 0, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_timeout(value: object) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(_is_positive(item) for item in value)
    )


def _is_channels(value: object) -> bool:
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(channel in CHANNELS for channel in value)
        and len(set(value)) == len(value)
        and value[0] != "sms"
    )


def _is_limits(value: object) -> bool:
    if not isinstance(value, dict) or not set(value) <= set(limits.NAMES):
        return False
    return all(
        isinstance(rates, (list, tuple)) and all(map(_is_rate, rates)) for rates in value.values()
    )


def _is_rate(value: object) -> bool:
    try:
        return limits.parse_rate(value).count >= 0
    except (TypeError, ValueError):
        return False


def _is_money(value: object) -> bool:
    return (
        value is None
        or (isinstance(value, Decimal) and value.is_finite() and value >= 0)
        or _is_count(value)
    )


def _is_prefixes(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(prefix, str) and prefix.isascii() and prefix.isdigit() for prefix in value
    )


def _is_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port  # Raises ValueError for an invalid port.
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and not parts.query
        and not parts.fragment
    )


def _is_networks(value: object) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    try:
        return all(ipaddress.ip_network(network, strict=False) is not None for network in value)
    except ValueError:
        return False


def _is_zone(value: object) -> bool:
    try:
        return isinstance(value, str) and ZoneInfo(value) is not None
    except (KeyError, OSError, ValueError):
        return False


def _is_test_numbers(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    for number, code in value.items():
        if not isinstance(code, str) or not (code.isascii() and code.isdigit()):
            return False
        if not 4 <= len(code) <= 10:
            return False
        try:
            phones.normalize(number)
        except InvalidPhone:
            return False
    return True


def _is_region(value: object) -> bool:
    return value is None or (
        isinstance(value, str) and len(value) == 2 and value.isascii() and value.isupper()
    )


def _is_phone_digits(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and 5 <= len(value) <= 15


def _is_share(value: object) -> bool:
    return _is_count(value, 0, 1) or (isinstance(value, float) and 0 <= value <= 1)


def _is_challenge_keys(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) <= {"site", "secret"}
        and all(isinstance(key, str) for key in value.values())
    )


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "." in value


RULES: dict[str, Rule] = {
    "API_KEY": Rule(lambda value: isinstance(value, str), "the key as text"),
    "API_URL": Rule(_is_url, "an absolute address, https://…"),
    "API_AUTH": Rule(lambda value: value in ("header", "body"), '"header" or "body"'),
    "TIMEOUT": Rule(_is_timeout, "two positive numbers of seconds: (connect, read)"),
    "TRANSPORT": Rule(
        lambda value: value in (None, "http", "console", "memory") or _is_path(value),
        'None, "http", "console", "memory" or the dotted path of a client factory',
    ),
    "DISPATCH": Rule(
        lambda value: value in (None, "celery", "inline"), 'None, "celery" or "inline"'
    ),
    "CHANNELS": Rule(
        _is_channels,
        'a list of "flashcall", "voice" and "sms", not empty, each once, '
        '"sms" not first (it repeats the code of a call)',
    ),
    "CODE_SOURCE": Rule(lambda value: value in ("client", "service"), '"client" or "service"'),
    "CODE_LENGTH": Rule(lambda value: _is_count(value, 4, 10), "a number from 4 to 10"),
    "CODE_TTL": Rule(lambda value: _is_count(value, 1), "a number of seconds, 1 or more"),
    "MAX_ATTEMPTS": Rule(
        lambda value: _is_count(value, 1, 1000),
        "a number of guesses, 1 or more",
    ),
    "RESEND_AFTER": Rule(_is_count, "a number of seconds, 0 or more"),
    "MAX_SENDS": Rule(
        lambda value: _is_count(value, 1, 1000),
        "a number of sends, 1 or more",
    ),
    "LIMITS": Rule(
        _is_limits,
        f'a dict of {", ".join(limits.NAMES)} to lists of rates "N/Pu", '
        'as {"phone": ["3/10m", "10/d"]}',
    ),
    "DAILY_BUDGET": Rule(_is_money, "None or a Decimal, 0 or more"),
    "ALLOWED_PREFIXES": Rule(
        _is_prefixes,
        'a list of digits that numbers begin with, as ["79"]; [] = any',
    ),
    "DEFAULT_REGION": Rule(_is_region, 'the two letters of a country, as "RU", or None'),
    "CALLBACK_BASE_URL": Rule(
        lambda value: value is None or _is_url(value),
        "None or an absolute address, https://…",
    ),
    "CALLBACK_ALLOWED_IPS": Rule(
        _is_networks, 'a list of addresses or networks, as ["192.0.2.0/24"]'
    ),
    "TRUSTED_PROXIES": Rule(_is_count, "how many proxies stand before the site, 0 or more"),
    "ANI": Rule(
        lambda value: value is None or _is_phone_digits(value),
        'None or digits, as "74959999999"',
    ),
    "VOICE_REPEAT": Rule(lambda value: isinstance(value, bool), "True or False"),
    "PROVIDER_TIME_ZONE": Rule(_is_zone, 'the name of a time zone, as "Europe/Moscow"'),
    "POLL_DELAYS": Rule(
        lambda value: (
            isinstance(value, (list, tuple)) and all(_is_positive(item) for item in value)
        ),
        "a list of positive numbers of seconds; [] = never poll",
    ),
    "LOW_BALANCE": Rule(_is_money, "None or a Decimal, 0 or more"),
    "TEST_NUMBERS": Rule(
        _is_test_numbers,
        'a dict of phone numbers to codes of 4 to 10 digits, as {"79000000001": "48213957"}',
    ),
    "RETENTION_DAYS": Rule(
        lambda value: value is None or _is_count(value, 1),
        "None or a number of days, 1 or more",
    ),
    "RETENTION": Rule(lambda value: value in ("delete", "mask"), '"delete" or "mask"'),
    "USER_PHONE_FIELD": Rule(
        lambda value: value is None or (isinstance(value, str) and value.isidentifier()),
        "None or the name of a field of the user model",
    ),
    "USER_PHONE_TRUSTED": Rule(lambda value: isinstance(value, bool), "True or False"),
    "CREATE_USERS": Rule(lambda value: isinstance(value, bool), "True or False"),
    "STAFF_LOGIN": Rule(lambda value: isinstance(value, bool), "True or False"),
    "DORMANT_AFTER_DAYS": Rule(
        lambda value: value is None or _is_count(value, 1),
        "None or a number of days, 1 or more",
    ),
    "LOGIN": Rule(
        lambda value: value in ("session", "token", "jwt") or _is_path(value),
        '"session", "token", "jwt" or the dotted path of a callable',
    ),
    "BEFORE_SEND": Rule(
        lambda value: value is None or _is_path(value),
        "None or the dotted path of a callable",
    ),
    "PROVEN_SHARE": Rule(_is_share, "a number from 0 to 1"),
    "LONG_CODE": Rule(
        lambda value: value is None or _is_count(value, 5, 10), "None or a number from 5 to 10"
    ),
    "CHALLENGE": Rule(
        lambda value: value is None or _is_path(value),
        "None or the dotted path of a callable",
    ),
    "CHALLENGE_KEYS": Rule(_is_challenge_keys, 'a dict of "site" and "secret" to texts, or {}'),
    "FRAUD_GUARD": Rule(
        lambda value: value in ("off", "audit", "enforce"), '"off", "audit" or "enforce"'
    ),
    "FRAUD_FLOOR": Rule(lambda value: _is_count(value, 1), "a number of sends, 1 or more"),
}
