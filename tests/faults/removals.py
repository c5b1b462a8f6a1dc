"""What keeps promises 1 and 2 of the design, and what the package would be without it. See
``guards``.
"""

from __future__ import annotations

from tests.faults.guards import Guard

WORKERS, BROKERS, DATABASES = (
    "tests/faults/test_workers.py",
    "tests/faults/test_brokers.py",
    "tests/faults/test_databases.py",
)
PROVIDERS, CALLBACKS, DISK = (
    "tests/faults/test_providers.py",
    "tests/faults/test_callbacks.py",
    "tests/faults/test_disk.py",
)
DELIVERY = "tests/test_calls_over_http.py"

_CLAIM = "            [self.State.QUEUED], state=self.State.PLACING, claimed_at=now"
_STATE = "if call is None or call.state != CallRequest.State.QUEUED:"
_LATE = "    acks_late=True,\n    reject_on_worker_lost=True,\n"
_AGAIN = "    autoretry_for=DATABASE_ERRORS,\n"
_VERB = "                return verb(*args, **kwargs)\n            except "
_EARLY = "early = [self.State.PLACING, self.State.UNKNOWN]"

CALLS = [
    Guard(
        "1",
        "claim: any number of workers may ask for one call",
        (
            f"{WORKERS} -k twenty and threads",
            f"{WORKERS} -k killed_before and prefork",
            f"{WORKERS} -k killed_between and threads",
            f"{WORKERS} -k killed_after and prefork",
            f"{BROKERS} -k under_a_worker",
            f"{DELIVERY} -k several_workers",
            f"{DELIVERY} -k only_a_queued",
        ),
        (
            (
                "models/calls.py",
                _CLAIM,
                "            list(self.State), state=self.State.PLACING, claimed_at=now",
            ),
            ("calls/placing.py", _STATE, "if call is None:"),
        ),
    ),
    Guard(
        "1",
        "once: what may have rung is tried again",
        (f"{PROVIDERS} -k broken", f"{PROVIDERS} -k every_byte", f"{DELIVERY} -k lost_answer"),
        (("calls/placing.py", "        if not error.may_have_rung:\n", "        if True:\n"),),
    ),
    Guard(
        "1",
        "refused: a refused connection is not tried again",
        (f"{PROVIDERS} -k down_and_back", f"{DELIVERY} -k refused_connection"),
        (("calls/outcomes.py", "    if last_try or now + ", "    if True or now + "),),
    ),
    Guard(
        "1",
        "answer: the web turns a call down that a worker has",
        (f"{BROKERS} -k answer_of_the_broker",),
        (
            (
                "calls/outcomes.py",
                '    is_ours = call.claim("", timezone.now())\n',
                "    is_ours = True\n",
            ),
        ),
    ),
    Guard(
        "2",
        "late: a task is acknowledged before it is done",
        (f"{WORKERS} -k killed_before and threads",),
        (("tasks.py", _LATE, ""),),
    ),
    Guard(
        "2",
        "write: a result is written once",
        (
            f"{DATABASES} -k is_asked",
            f"{DATABASES} -k refuses",
            f"{DISK} -k limit",
            f"{DISK} -k disk]",
        ),
        (("transactions.py", "WRITE_TRIES = 5", "WRITE_TRIES = 1"),),
    ),
    Guard(
        "2",
        "abandoned: a worker that died is not noticed",
        (f"{WORKERS} -k killed_between and threads", f"{DELIVERY} -k worker_that_died"),
        (
            (
                "calls/recovery.py",
                "    lost = CallRequest.lose_abandoned(now - patience, now, WORKER_LOST)\n",
                "    lost: list[int] = []\n",
            ),
        ),
    ),
    Guard(
        "2",
        "forgotten: a task that was lost is not handed in again",
        (f"{BROKERS} -k comes_back_empty", f"{DELIVERY} -k requeued"),
        (
            (
                "calls/recovery.py",
                'list(waiting.order_by("created_at").values_list("pk", flat=True)[:MOST_STUCK])',
                "[]",
            ),
        ),
    ),
    Guard(
        "2",
        "unknown: a code counts only where an answer came",
        (
            f"{PROVIDERS} -k broken",
            f"{WORKERS} -k killed_before and threads",
            f"{DELIVERY} -k lost_answer",
        ),
        (
            (
                "models/calls.py",
                "UNSENT_STATES = frozenset({",
                "UNSENT_STATES = frozenset({State.UNKNOWN, ",
            ),
        ),
    ),
    Guard(
        "2",
        "sync: the daily statistics look for no lost call",
        (
            "tests/statistics/test_week.py -k losses",
            "tests/statistics/test_daily_sync.py -k unknown_call",
        ),
        (("statistics/lost_calls.py", "    if not lost:\n        return\n", "    return\n"),),
    ),
    Guard(
        "2",
        "task: a task that meets no database is not tried again",
        (f"{DATABASES} -k takes_the_task",),
        (("tasks.py", _AGAIN, ""),),
    ),
    Guard(
        "2",
        "told: a database that is away is a fault",
        (f"{DISK} -k limit", f"{DATABASES} -k people"),
        # Told by the verbs, and by the API where it is gone behind them.
        (
            ("transactions.py", f"{_VERB}DATABASE_ERRORS", f"{_VERB}ZeroDivisionError"),
            ("api/errors.py", "    if isinstance(error, DATABASE_ERRORS):\n", "    if False:\n"),
        ),
    ),
    Guard(
        "2",
        "page: nor do the pages say so",
        (f"{DATABASES} -k pages",),
        (
            (
                "web/base.py",
                "            return self.render_unavailable(unavailable(error))\n",
                "            raise\n",
            ),
        ),
    ),
    Guard(
        "2",
        "broker: a broker that is down is a fault",
        (f"{BROKERS} -k with_tasks_in_it", "tests/test_broker.py -k refused_at_once"),
        (
            (
                "verifications/dispatch.py",
                "    except Exception as error:\n        # Each",
                "    except ZeroDivisionError as error:\n        # Each",
            ),
        ),
    ),
    Guard(
        "2",
        "forward: any report moves a call",
        (
            f"{CALLBACKS} -k doubled",
            f"{CALLBACKS} -k backwards",
            "tests/test_callback.py -k only_forward",
        ),
        (
            (
                "models/calls.py",
                "return cls.PROGRESS.get(new_state, -1) > cls.PROGRESS[old_state]",
                "return True",
            ),
        ),
    ),
    Guard(
        "2",
        "early: the answer overwrites what a callback told before it",
        (f"{CALLBACKS} -k doubled",),
        (("models/calls.py", _EARLY, "early = list(self.State)"),),
    ),
]
