"""Limits of sends, guesses and money, counted in the database before anything is sent."""

from django_voicepassword.limits.alarms import (
    clear_alarm,
    is_raised,
    raise_alarm,
    raise_balance_alarm,
)
from django_voicepassword.limits.budget import (
    adjust_budget,
    provider_day,
    raise_reservation,
    seconds_to_next_day,
)
from django_voicepassword.limits.counters import lock, purge
from django_voicepassword.limits.lanes import lane_of
from django_voicepassword.limits.prices import expected_price, note_price, price_of_send
from django_voicepassword.limits.rates import CLOCK_SKEW, Rate, parse_rate
from django_voicepassword.limits.reservations import (
    NAMES,
    ClockSkewRateLimited,
    Reservation,
    count_from_now,
    longest_period,
    release,
    reserve,
    reserve_guess,
    reserve_send,
    usage,
)
from django_voicepassword.limits.staff import count_search, unblock, unblock_address
from django_voicepassword.limits.subjects import send_subjects
from django_voicepassword.limits.terms import BlockTripped, Terms

__all__ = [
    "CLOCK_SKEW",
    "NAMES",
    "BlockTripped",
    "ClockSkewRateLimited",
    "Rate",
    "Reservation",
    "Terms",
    "adjust_budget",
    "clear_alarm",
    "count_from_now",
    "count_search",
    "expected_price",
    "is_raised",
    "lane_of",
    "lock",
    "longest_period",
    "note_price",
    "parse_rate",
    "price_of_send",
    "provider_day",
    "purge",
    "raise_alarm",
    "raise_balance_alarm",
    "raise_reservation",
    "release",
    "reserve",
    "reserve_guess",
    "reserve_send",
    "seconds_to_next_day",
    "send_subjects",
    "unblock",
    "unblock_address",
    "usage",
]
