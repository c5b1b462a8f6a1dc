"""Guards of promise 7: against a crowd, and open to everybody else."""

from __future__ import annotations

from tests.faults.guards.guard import Guard

ATTACKS = "tests/test_against_a_crowd.py"
_SOLVED = '        instead = solved_use(phone, "device" if terms.is_proven else "phone")\n'
_STEP_UP = "    trips = standing.trips if standing.is_enforced else ()\n"
_OFF = """    if settings.FRAUD_GUARD == "off":
        return
    states.note_watch(now)
"""
_BLOCK = "BlockSend(block_of(phone), terms.usual) if blocks.counts(terms) else None"
_SHARE = "whole * (1 - Decimal(str(settings.PROVEN_SHARE)))"
_PROVEN = """    if terms.is_proven:
        return uses
"""
_ASKED = "    if not limits.raise_reservation(call.created_at, reserved, money, now):\n"

CROWD = [
    Guard(
        "7",
        "watch",
        "the guard does not watch",
        (f"{ATTACKS} -k spray", f"{ATTACKS} -k bomb"),
        (
            (
                "limits/guard/watching.py",
                _OFF,
                _OFF.replace('settings.FRAUD_GUARD == "off"', "True"),
            ),
        ),
    ),
    Guard(
        "7",
        "compared",
        "short codes are compared while the site is guessed",
        (f"{ATTACKS} -k spray",),
        (("verifications/checking.py", "    if is_guarded and ", "    if False and "),),
    ),
    Guard(
        "7",
        "suspected",
        "a suspected send is made like any other",
        (f"{ATTACKS} -k bomb", f"{ATTACKS} -k block"),
        (("verifications/step_up.py", _STEP_UP, "    trips = ()\n"),),
    ),
    Guard(
        "7",
        "long",
        "long codes are not limited",
        (f"{ATTACKS} -k bomb",),
        (("limits/uses.py", "        uses += _long_uses(phone, terms)\n", "        pass\n"),),
    ),
    Guard(
        "7",
        "lanes",
        "sends of known devices count for the site",
        (f"{ATTACKS} -k site", "tests/test_devices.py -k crowds"),
        (("limits/uses.py", _PROVEN, ""),),
    ),
    Guard(
        "7",
        "share",
        "strangers may spend the whole budget",
        (f"{ATTACKS} -k money", "tests/test_split_counters.py -k proven_share"),
        (("limits/budget.py", _SHARE, "whole"),),
    ),
    Guard(
        "7",
        "block",
        "a block of numbers is not judged",
        (f"{ATTACKS} -k block", "tests/test_step_up.py -k block_trips_at_once"),
        (("limits/reservations.py", _BLOCK, "None"),),
    ),
    Guard(
        "7",
        "victim",
        "a number whose guesses are used up gets short codes",
        (f"{ATTACKS} -k victim", "tests/test_step_up.py -k holder_of_a_guessed_number"),
        (("verifications/step_up.py", "    elif codes.short_wait:\n", "    elif False:\n"),),
    ),
    Guard(
        "7",
        "solved",
        "a solved challenge pays for no send to a number that is used up",
        (f"{ATTACKS} -k victim", "tests/test_step_up.py -k solved_challenge_is_limited"),
        (("limits/uses.py", _SOLVED, "        pass\n"),),
    ),
    Guard(
        "7",
        "approved",
        "an approval gives no send back",
        (f"{ATTACKS} -k one_address", "tests/test_giving_back.py -k honest_crowd"),
        (
            (
                "verifications/checking.py",
                "        limits.close_approved(calls, reservation.rows)\n",
                "",
            ),
        ),
    ),
    Guard(
        "7",
        "premium",
        "premium-rate and satellite numbers are called",
        ("tests/test_phones.py -k never_called", "tests/test_verifications.py -k never_called"),
        (("phones.py", "    if _is_never_called(phone):\n", "    if False:\n"),),
    ),
    Guard(
        "7",
        "rise",
        "DAILY_BUDGET is not asked again when a call is placed",
        ("tests/test_price_rise.py", "tests/test_call_rows.py -k price_that_rises_stops"),
        (("calls/spending.py", _ASKED, "    if False:\n"),),
    ),
]
