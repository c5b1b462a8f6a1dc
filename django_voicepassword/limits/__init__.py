"""Limits of sends, guesses and money, counted in the database before anything is sent."""

from django_voicepassword.limits.alarms import (
    clear_alarm,
    is_raised,
    raise_alarm,
    raise_balance_alarm,
)
from django_voicepassword.limits.budget import (
    Money,
    adjust_budget,
    raise_reservation,
    seconds_to_next_day,
    spent,
)
from django_voicepassword.limits.counters import count_from_now, lock, purge
from django_voicepassword.limits.lanes import lane_of
from django_voicepassword.limits.plans import ClockSkewRateLimited, Reservation
from django_voicepassword.limits.prices import expected_price, note_price, price_of_send
from django_voicepassword.limits.rates import CLOCK_SKEW, Rate, parse_rate
from django_voicepassword.limits.reservations import (
    in_transaction,
    reserve,
    reserve_guess,
    reserve_send,
)
from django_voicepassword.limits.returning import close_approved, give_back, shared_keys
from django_voicepassword.limits.staff import count_search, unblock, unblock_address
from django_voicepassword.limits.terms import BlockTripped, Terms
from django_voicepassword.limits.usage import (
    NAMES,
    address_usage,
    counters_of,
    longest_period,
    usage,
)
from django_voicepassword.limits.uses import lock_of_number, make_use, make_uses, send_uses

__all__ = [
    "CLOCK_SKEW",
    "NAMES",
    "BlockTripped",
    "ClockSkewRateLimited",
    "Money",
    "Rate",
    "Reservation",
    "Terms",
    "address_usage",
    "adjust_budget",
    "clear_alarm",
    "close_approved",
    "count_from_now",
    "count_search",
    "counters_of",
    "expected_price",
    "give_back",
    "in_transaction",
    "is_raised",
    "lane_of",
    "lock",
    "lock_of_number",
    "longest_period",
    "make_use",
    "make_uses",
    "note_price",
    "parse_rate",
    "price_of_send",
    "purge",
    "raise_alarm",
    "raise_balance_alarm",
    "raise_reservation",
    "reserve",
    "reserve_guess",
    "reserve_send",
    "seconds_to_next_day",
    "send_uses",
    "shared_keys",
    "spent",
    "unblock",
    "unblock_address",
    "usage",
]
