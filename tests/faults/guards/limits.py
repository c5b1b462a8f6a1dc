"""Guards of promises 3 and 4: limits hold in bursts, and a code works once."""

from __future__ import annotations

from tests.faults.guards.guard import Guard

CLOCK = "tests/faults/test_clock.py"
CLOCK_OF_PROCESSES = "tests/faults/test_clock_of_processes.py"
PAGES = "tests/web/test_promises.py"
DATABASES = ("sqlite", "postgresql", "mariadb")


def bursts(burst: str, databases: tuple[str, ...] = DATABASES) -> tuple[str, ...]:
    """The test of one kind of burst, once for each database."""
    return tuple(f"tests/test_bursts.py -k {database} and {burst}" for database in databases)


_LOCK = """    returned: Iterable[tuple[str, str, Decimal]] | None = upsert(
        rows, now, update=("updated_at",), returning=columns
    )
    if returned is None:
        returned = (
            LimitCounter.objects.select_for_update().filter(key__in=keys).values_list(*columns)
        )
"""
#: The pause lets another transaction in between for certain.
_READ = """    stored = LimitCounter.objects.filter(key__in=keys).values_list(*columns)
    by_key = {row[0]: row for row in stored}
    returned = [by_key.get(key, (key, "{}", Decimal(0))) for key in keys]
    __import__("time").sleep(0.02)
"""
_TRANSACTION = """        with transaction.atomic(using=using):
            return work()
"""
_LEFT = "        return bool(_COUNT_GUESS(id=verification_id, now=now, **cls._most_guesses()))\n"
_SENDS = "filter(has_guesses, sends__lt=settings.MAX_SENDS)"
_COUNT_READ = """        rows = cls.objects.filter(id=verification_id, expires_at__gt=now)
        rows = rows.filter(cls._is_pending(), cls._has_guesses(**cls._most_guesses()))
        attempts = cls.objects.get(id=verification_id).attempts
        return bool(rows.update(attempts=attempts + (__import__("time").sleep(0.02) or 1)))
"""
_NON_ATOMIC = "        view = transaction.non_atomic_requests(using=alias)(view)\n"
_APPROVED = "objects.filter(Verification._is_pending(), id=id)"
_GUESSED = "objects.filter(Verification._is_pending(), id=id, expires_at__gt=now)"
_REMEMBER = "    request.session[SESSION_KEY] = str(verification.id)\n"
_BUDGET = "        if not self.allows(spent):\n"
_FUTURE = "    future = after(now, limits.CLOCK_SKEW)\n"

LIMITS = [
    Guard(
        "3",
        "lock",
        "a rate limit is read without a lock",
        # Not on SQLite: it refuses the write if another transaction has written since the read,
        # and the transaction starts again. The next guard covers SQLite.
        (*bursts("phone", DATABASES[1:]), *bursts("address", DATABASES[1:])),
        (("limits/counters.py", _LOCK, _READ),),
    ),
    Guard(
        "3",
        "apart",
        "a rate limit is read without a lock, outside a transaction",
        (*bursts("phone", DATABASES[:1]), *bursts("address", DATABASES[:1])),
        (
            ("limits/counters.py", _LOCK, _READ),
            ("transactions.py", _TRANSACTION, "        return work()\n"),
        ),
    ),
    Guard(
        "3",
        "guesses",
        "the number of guesses left is not checked",
        bursts("wrong"),
        (("models/verifications.py", _LEFT, _LEFT.replace("bool(", "True or bool(")),),
    ),
    Guard(
        "3",
        "guess",
        "the count of guesses is read, then written plus one",
        # Not on SQLite, as above.
        bursts("wrong", DATABASES[1:]),
        (("models/verifications.py", _LEFT, _COUNT_READ),),
    ),
    Guard(
        "3",
        "sends",
        "a send is allowed whatever the number of earlier sends",
        bursts("resends"),
        (("models/verifications.py", _SENDS, "filter(has_guesses)"),),
    ),
    Guard(
        "3",
        "money",
        "the daily budget is not checked",
        bursts("money"),
        (("limits/budget.py", _BUDGET, "        if False:\n"),),
    ),
    Guard(
        "3",
        "rollback",
        "the views run inside ATOMIC_REQUESTS",
        (f"{PAGES} -k atomic_requests", "tests/api/test_verifications.py -k atomic_requests"),
        (("transactions.py", _NON_ATOMIC, "        pass\n"),),
    ),
    Guard(
        "3",
        "session",
        "the session holds more than the id of the verification",
        (f"{PAGES} -k id_alone",),
        (
            (
                "web/session.py",
                _REMEMBER,
                _REMEMBER + '    request.session["phone"] = verification.phone\n',
            ),
        ),
    ),
    Guard(
        "3",
        "step",
        "after the clock steps back, entries dated in the future count until then",
        (f"{CLOCK} -k sends_wait", f"{CLOCK} -k guesses_wait", CLOCK_OF_PROCESSES),
        (
            (
                "limits/plans.py",
                "raise ClockSkewRateLimited(limit, wait, ahead) if ahead else RateLimited",
                "raise RateLimited",
            ),
        ),
    ),
    Guard(
        "3",
        "twice",
        "entries dated in the future do not count",
        (f"{CLOCK} -k sends_wait", "tests/test_limits.py -k steps_back", CLOCK_OF_PROCESSES),
        (
            (
                "limits/rates.py",
                "if seconds_left(at, rate, moment) > 0:",
                "if at <= moment and seconds_left(at, rate, moment) > 0:",
            ),
        ),
    ),
    Guard(
        "3",
        "restamp",
        "rows dated in the future keep their dates",
        (
            *(f"{CLOCK} -k {word}" for word in ("resend", "lifetime", "gets_in", "polled", "died")),
            CLOCK_OF_PROCESSES,
        ),
        (("calls/recovery.py", f"{_FUTURE}    pending", f"    return\n{_FUTURE}    pending"),),
    ),
    Guard(
        "3",
        "skew",
        "a clock that is seconds behind counts as one that stepped back",
        (f"{CLOCK} -k seconds_behind",),
        (("limits/rates.py", "SKEW = 60\n", "SKEW = 0\n"),),
    ),
    Guard(
        "4",
        "approve",
        "every request with the right code approves",
        (
            *bursts("right"),
            "tests/test_login.py -k two_right",
            "tests/test_verifications.py -k two_right",
        ),
        (
            ("models/verifications.py", _APPROVED, "objects.filter(id=id)"),
            ("models/verifications.py", _GUESSED, "objects.filter(id=id, expires_at__gt=now)"),
        ),
    ),
]
