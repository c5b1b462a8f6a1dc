"""What keeps promises 3 to 6, and their limits when the clock steps back. See ``guards``."""

from __future__ import annotations

from tests.faults.guards import Guard

CLOCK, PROVIDERS, DELIVERY = (
    "tests/faults/test_clock.py",
    "tests/faults/test_providers.py",
    "tests/test_calls_over_http.py",
)
STEP = "tests/faults/test_clock_of_processes.py"
PAGES, CLIENT = "tests/web/test_promises.py", "tests/test_client.py"


DATABASES = ("sqlite", "postgresql", "mariadb")


def bursts(burst: str, databases: tuple[str, ...] = DATABASES) -> tuple[str, ...]:
    return tuple(f"tests/test_bursts.py -k {database} and {burst}" for database in databases)


_LOCK = """    returned: Iterable[tuple[str, str, Decimal]] | None = upsert(
        rows, update=("updated_at",), returning=columns
    )
    if returned is None:
        returned = (
            LimitCounter.objects.select_for_update().filter(key__in=keys).values_list(*columns)
        )
"""
#: With a pause: whoever reads without a lock is overtaken for sure.
_READ = """    found = {one[0]: one for one in LimitCounter.objects.filter(key__in=keys).values_list(*columns)}
    returned = [found.get(key, (key, "{}", Decimal(0))) for key in keys]
    __import__("time").sleep(0.02)
"""
_TRANSACTION = """            with transaction.atomic(using=using):
                return work()
"""
_LEFT = "        return bool(guessable.update("
_OPEN = """cls.objects.filter(cls._is_pending(), id=verification_id, expires_at__gt=now)
        guessable"""
_COUNT = 'update(attempts=F("attempts") + 1)'
_COUNT_READ = 'update(attempts=cls.objects.get(id=verification_id).attempts + (__import__("time").sleep(0.02) or 1))'
_NON_ATOMIC = "        view = transaction.non_atomic_requests(using=alias)(view)\n"
_CLOSE = "objects.filter(self._is_pending(), id=self.id)"
_NUMBER = "_NUMBER.sub(lambda match: mask(match[0]), clean_text(masked[: length + 4096]))"
_SENSITIVE = "    return cast(Function, clear_frames_on_error(hidden, unless=lambda: django_settings.DEBUG))\n"
_DIGEST = (
    '    return salted_hmac(_DIGEST_SALT, value, secret=secret, algorithm="sha256").hexdigest()\n'
)
_WORD = "CALL_STATES.get(word) or SMS_STATES.get(word) or OTHER"
_REMEMBER = "    request.session[SESSION_KEY] = str(verification.id)\n"
_BUDGET = "        if spent + price > settings.DAILY_BUDGET:\n"
_CALLBACK = "        except (DatabaseError, InterfaceError):\n"
_FUTURE = "    future = now + timedelta(seconds=limits.SKEW)\n"
_ASK = "        reply = _ask(client, call, code, earlier_call)\n"

COUNTS = [
    Guard(
        "3",
        "lock: a budget is read, and written later",
        # SQLite refuses to write what was read before somebody else wrote, and the transaction
        # begins anew: see the next.
        (*bursts("phone", DATABASES[1:]), *bursts("address", DATABASES[1:])),
        (("limits/counters.py", _LOCK, _READ),),
    ),
    Guard(
        "3",
        "apart: a budget is read, and written later, each by itself",
        (*bursts("phone", DATABASES[:1]), *bursts("address", DATABASES[:1])),
        (
            ("limits/counters.py", _LOCK, _READ),
            ("transactions.py", _TRANSACTION, "                return work()\n"),
        ),
    ),
    Guard(
        "3",
        "guesses: nobody looks whether one is left",
        bursts("wrong"),
        (("models/verifications.py", _LEFT, _LEFT.replace("bool(", "True or bool(")),),
    ),
    Guard(
        "3",
        "guess: the count is read, and written one higher",
        bursts("wrong"),
        (("models/verifications.py", _COUNT, _COUNT_READ),),
    ),
    Guard(
        "3",
        "sends: a send is counted whatever the number of those before",
        bursts("resends"),
        (("models/verifications.py", "(rested, sends__lt=settings.MAX_SENDS)", "(rested)"),),
    ),
    Guard(
        "3",
        "money: the day's budget is not looked at",
        bursts("money"),
        (("limits/reservations.py", _BUDGET, "        if False:\n"),),
    ),
    Guard(
        "3",
        "rollback: the views are within ATOMIC_REQUESTS",
        (f"{PAGES} -k atomic_requests", "tests/api/test_verifications.py -k atomic_requests"),
        (("transactions.py", _NON_ATOMIC, "        pass\n"),),
    ),
    Guard(
        "3",
        "session: the session holds more than the id",
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
        "step: what a clock that stepped back noted in the future counts until then",
        (f"{CLOCK} -k sends_wait", f"{CLOCK} -k guesses_wait", STEP),
        (
            (
                "limits/reservations.py",
                "raise ClockSkewRateLimited(limit, wait, ahead) if ahead else RateLimited",
                "raise RateLimited",
            ),
        ),
    ),
    Guard(
        "3",
        "twice: what is noted in the future does not count",
        (f"{CLOCK} -k sends_wait", "tests/test_limits.py -k steps_back", STEP),
        (
            (
                "limits/rates.py",
                "for at, count in entries if at > start]",
                "for at, count in entries if start < at <= moment]",
            ),
        ),
    ),
    Guard(
        "3",
        "restamp: rows of the future stay there",
        (
            *(f"{CLOCK} -k {word}" for word in ("resend", "told", "gets_in", "asked_for", "died")),
            STEP,
        ),
        (("calls/recovery.py", f"{_FUTURE}    pending", f"    return\n{_FUTURE}    pending"),),
    ),
    Guard(
        "3",
        "skew: servers whose clocks differ by seconds are taken for one that stepped back",
        (f"{CLOCK} -k servers",),
        (("limits/rates.py", "SKEW = 60\n", "SKEW = 0\n"),),
    ),
    Guard(
        "4",
        "approve: whoever guessed right approves",
        (
            *bursts("right"),
            "tests/test_login.py -k two_right",
            "tests/test_verifications.py -k two_right",
        ),
        (
            ("models/verifications.py", _CLOSE, "objects.filter(id=self.id)"),
            ("models/verifications.py", _OPEN, _OPEN.replace("cls._is_pending(), ", "")),
        ),
    ),
    Guard(
        "5",
        "json: bytes are taken for JSON",
        (
            f"{PROVIDERS} -k broken",
            f"{CLIENT} -k unreadable",
            "tests/hostile/test_answers.py -k bytes",
        ),
        (
            (
                "provider/protocol/json_decoder.py",
                "    except (ValueError, RecursionError):\n",
                "    except ZeroDivisionError:\n",
            ),
        ),
    ),
    Guard(
        "5",
        "status: a 5xx is read like any answer",
        (f"{PROVIDERS} -k broken", f"{CLIENT} -k server_error"),
        (
            (
                "provider/client.py",
                "        if response.status_code >= 500:\n",
                "        if False:\n",
            ),
        ),
    ),
    Guard(
        "5",
        "word: a word that is not in the vocabulary is a fault",
        ("tests/faults/test_callbacks.py -k day_late", "tests/test_callback.py -k only_forward"),
        (
            (
                "provider/protocol/vocabulary.py",
                _WORD,
                "{**CALL_STATES, **SMS_STATES}[word]",
            ),
        ),
    ),
    Guard(
        "5",
        "id: an answer without an id ends a run of polling",
        (f"{PROVIDERS} -k without_an_id",),
        (
            (
                "calls/polling.py",
                "    except ValueError:\n        # The call",
                "    except ZeroDivisionError:\n        # The call",
            ),
        ),
    ),
    Guard(
        "5",
        "callback: a database that is away is a 500 for the provider",
        ("tests/faults/test_disk.py -k limit", "tests/test_callback.py -k database_that_is_gone"),
        (("api/callback.py", _CALLBACK, "        except ZeroDivisionError:\n"),),
    ),
    Guard(
        "6",
        "clear: what is kept of a code is the code",
        ("tests/test_verifications.py -k nowhere",),
        (("security/codes.py", _DIGEST, "    return str(code)\n"),),
    ),
    Guard(
        "6",
        "log: a code is logged",
        (f"{DELIVERY} -k logged",),
        (
            (
                "calls/placing.py",
                _ASK,
                f'        logger.info("asked with the code %s", code)\n{_ASK}',
            ),
        ),
    ),
    Guard(
        "6",
        "report: reports of errors show variables",
        (
            f"{PAGES} -k error_report",
            "tests/secrets/test_reports_of_the_database.py -k at_the_start",
        ),
        (("security/sensitive.py", _SENSITIVE, "    return function\n"),),
    ),
    Guard(
        "6",
        "mask: numbers are kept as the provider wrote them",
        ("tests/hostile/test_masking.py -k spelled",),
        (("security/masking.py", _NUMBER, "clean_text(masked)"),),
    ),
    Guard(
        "6",
        "admin: a masked number is a whole one",
        (
            "tests/test_admin.py -k whole_number",
            "tests/api/test_verifications.py -k fields_of_the_contract",
        ),
        (
            (
                "security/masking.py",
                '        return f"{_RUSSIAN}{phone[-2:]}"\n',
                "        return phone\n",
            ),
        ),
    ),
]
