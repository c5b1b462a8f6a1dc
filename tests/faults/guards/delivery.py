"""Guards of promises 1 and 2: a call rings at most once, and nothing is lost."""

from __future__ import annotations

from tests.faults.guards.guard import Guard

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
DELIVERY_TESTS = "tests/test_calls_over_http.py"

_CLAIM = "            [self.State.QUEUED], state=self.State.PLACING, claimed_at=now"
_STATE = "if call is None or call.state != CallRequest.State.QUEUED:"
_LATE = "    acks_late=True,\n    reject_on_worker_lost=True,\n"
_RETRY = "    autoretry_for=DATABASE_ERRORS,\n"
_VERB = "                return verb(*args, **kwargs)\n            except "
_EARLY = "early = [self.State.PLACING, self.State.UNKNOWN]"

DELIVERY = [
    Guard(
        "1",
        "claim",
        "several workers may place the same call",
        (
            f"{WORKERS} -k twenty and threads",
            f"{WORKERS} -k killed_before and prefork",
            f"{WORKERS} -k killed_between and threads",
            f"{WORKERS} -k killed_after and prefork",
            f"{BROKERS} -k under_a_worker",
            f"{DELIVERY_TESTS} -k several_workers",
            f"{DELIVERY_TESTS} -k only_a_queued",
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
        "once",
        "a call that may have rung is tried again",
        (
            f"{PROVIDERS} -k broken",
            f"{PROVIDERS} -k every_byte",
            f"{DELIVERY_TESTS} -k lost_answer",
        ),
        (("calls/placing.py", "        if not error.may_have_rung:\n", "        if True:\n"),),
    ),
    Guard(
        "1",
        "refused",
        "a refused connection is not retried",
        (f"{PROVIDERS} -k down_and_back", f"{DELIVERY_TESTS} -k refused_connection"),
        (("calls/retries.py", "    if last_try or after(", "    if True or after("),),
    ),
    Guard(
        "1",
        "answer",
        "the web process refuses a call that a worker has already claimed",
        (f"{BROKERS} -k answer_of_the_broker",),
        (
            (
                "calls/replies.py",
                '    is_ours = writing.in_statement(lambda: call.claim("", timezone.now()))\n',
                "    is_ours = True\n",
            ),
        ),
    ),
    Guard(
        "2",
        "late",
        "a task is acknowledged before it is finished",
        (f"{WORKERS} -k killed_before and threads",),
        (("tasks.py", _LATE, ""),),
    ),
    Guard(
        "2",
        "write",
        "a failed write of a result is not retried",
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
        "abandoned",
        "calls of a dead worker are not noticed",
        (f"{WORKERS} -k killed_between and threads", f"{DELIVERY_TESTS} -k worker_that_died"),
        (
            (
                "calls/recovery.py",
                "    for pk in CallRequest.abandoned(before(now, patience)):\n",
                "    for pk in list[int]():\n",
            ),
        ),
    ),
    Guard(
        "2",
        "forgotten",
        "a call whose task was lost is not queued again",
        (f"{BROKERS} -k comes_back_empty", f"{DELIVERY_TESTS} -k requeued"),
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
        "unknown",
        "a code counts only if the provider answered",
        (
            f"{PROVIDERS} -k broken",
            f"{WORKERS} -k killed_before and threads",
            f"{DELIVERY_TESTS} -k lost_answer",
        ),
        (
            (
                "models/call_states.py",
                "UNSENT_STATES = frozenset({",
                "UNSENT_STATES = frozenset({State.UNKNOWN, ",
            ),
        ),
    ),
    Guard(
        "2",
        "sync",
        "the daily statistics do not match lost calls",
        (
            "tests/statistics/test_week.py -k losses",
            "tests/statistics/test_daily_sync.py -k unknown_call",
        ),
        (
            (
                "statistics/lost_calls.py",
                "    calls = lost.get(row.number) or lost.get(ERASED, [])\n",
                "    calls: list[CallRequest] = []\n",
            ),
        ),
    ),
    Guard(
        "2",
        "task",
        "a task that cannot reach the database is not retried",
        (f"{DATABASES} -k takes_the_task",),
        (("tasks.py", _RETRY, ""),),
    ),
    Guard(
        "2",
        "database",
        "an unreachable database is an unhandled error in the API",
        (f"{DISK} -k limit", f"{DATABASES} -k people"),
        # The verbs translate the error; the API translates one that is raised outside of them.
        (
            ("transactions.py", f"{_VERB}DATABASE_ERRORS", f"{_VERB}ZeroDivisionError"),
            (
                "api/error_body.py",
                "    if isinstance(error, DATABASE_ERRORS):\n",
                "    if False:\n",
            ),
        ),
    ),
    Guard(
        "2",
        "page",
        "an unreachable database is an unhandled error on the pages",
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
        "broker",
        "an unreachable broker is an unhandled error",
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
        "forward",
        "any report changes the state of a call, also backwards",
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
        "early",
        "the reply to a send overwrites a callback that came first",
        (f"{CALLBACKS} -k doubled",),
        (("models/calls.py", _EARLY, "early = list(self.State)"),),
    ),
]
