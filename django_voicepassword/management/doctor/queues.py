"""Celery: the broker, a task through every queue and back, and the workers that answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import Celery, current_app
from django.utils import timezone
from django.utils.translation import gettext as _

from django_voicepassword import tasks
from django_voicepassword.calls import broker
from django_voicepassword.conf import settings
from django_voicepassword.limits import probes
from django_voicepassword.management.doctor import clocks
from django_voicepassword.management.doctor.deadlines import within
from django_voicepassword.management.doctor.findings import (
    Finding,
    fault,
    fine,
    skipped,
    warning,
)
from django_voicepassword.models.moments import as_aware

_PREFIX = "django_voicepassword.tasks."
#: Seconds between two looks for the answer of a worker.
_LOOK_EVERY = 0.1
#: Seconds after which a worker drops a question that nobody waits for any more. A worker whose
#: clock is minutes ahead must still answer.
_EXPIRES = 3600
#: Settings that must be the same in web and worker, or no call leaves and no code fits.
_MUST_AGREE = {"SECRET_KEY", "API_KEY", "API_URL", "TRANSPORT"}


@dataclass
class _Question:
    """A task that was sent to a queue. ``where`` is the name of the queue."""

    where: str
    key: str
    asked_at: datetime
    is_sent: bool = False


def queues(wait: float) -> Iterator[Finding]:
    """The broker, then each queue."""
    app = current_app._get_current_object()
    if settings.dispatch != "celery":
        text = _("DISPATCH is “%(dispatch)s”: the request itself makes the call.")
        yield skipped(_("broker"), text % {"dispatch": settings.dispatch})
        return
    if app.conf.task_always_eager:
        yield skipped(_("broker"), _("task_always_eager is on: there are no workers."))
        return
    try:
        # As often as publishing a task tries.
        within(3 * broker.TIMEOUT, lambda: broker.connect(app))
    except Exception:
        # Each broker's library raises its own exceptions, and some quote the password.
        yield fault(
            _("broker"),
            _("It does not answer, so no call can be placed."),
            _("Start it, or correct CELERY_BROKER_URL."),
        )
        return
    yield fine(_("broker"), _("It answers (%(kind)s).") % {"kind": _kind(app)})
    yield from _round_trips(app, wait)


def _kind(app: Celery) -> str:
    """The kind of broker: its address has a password."""
    return str(app.connection_for_write().transport_cls)


def _round_trips(app: Celery, wait: float) -> Iterator[Finding]:
    asked: list[_Question] = []
    try:
        for where, way in queues_of(app).items():
            question = _Question(where, probes.ask(), timezone.now())
            asked.append(question)
            question.is_sent = _send(question.key, way)
        answers = _wait_for([question.key for question in asked if question.is_sent], wait)
    finally:
        probes.forget(question.key for question in asked)
    for question in asked:
        name = _("queue %(name)s") % {"name": question.where}
        answer = answers.get(question.key)
        if not question.is_sent:
            yield _not_sent(name)
        elif answer is None:
            yield _unanswered(name, question.where, wait)
        else:
            yield from _answered(name, question, answer)


def _send(key: str, way: dict[str, Any]) -> bool:
    """Publish a question; False where the broker does not take it for this queue."""
    try:
        broker.publish(tasks.answer_probe, key, **way, expires=_EXPIRES)
    except Exception:
        # Each broker's library raises its own exceptions.
        return False
    return True


def _wait_for(keys: list[str], seconds: float) -> dict[str, probes.Answer]:
    ends = time.monotonic() + seconds
    answers = probes.answers(keys)
    while len(answers) < len(keys) and time.monotonic() < ends:
        time.sleep(_LOOK_EVERY)
        answers = probes.answers(keys)
    return answers


def _not_sent(name: str) -> Finding:
    return fault(
        name,
        _("The broker takes no task for it."),
        _("See whether the queue exists there with other properties, and whether it is full."),
    )


def _unanswered(name: str, queue: str, wait: float) -> Finding:
    return fault(
        name,
        _("No worker has answered within %(seconds)g s.") % {"seconds": wait},
        _(
            "Start a worker with “--queues %(queue)s”. If one runs: it is busy (try a longer "
            "--wait), or it uses another broker or another database than this process."
        )
        % {"queue": queue},
    )


def _answered(name: str, question: _Question, answer: probes.Answer) -> Iterator[Finding]:
    different = probes.differences(answer.fingerprint)
    if different:
        severity = fault if _MUST_AGREE & set(different) else warning
        yield severity(
            name,
            _("A worker answers, but it has other settings than this process: %(names)s.")
            % {"names": ", ".join(different)},
            _("Give web, workers and beat the same environment, and restart them."),
        )
    else:
        yield fine(name, _("A worker answers, with the same settings as this process."))
    ahead = _seconds_ahead(question, answer)
    if abs(ahead) > clocks.TOLERATED:
        yield clocks.finding(_("clock of the worker"), ahead, must=True)


def _seconds_ahead(question: _Question, answer: probes.Answer) -> float:
    """How far the worker's clock is from the time in which its answer was waited for."""
    asked, now = as_aware(question.asked_at), as_aware(timezone.now())
    if answer.at < asked:
        return (answer.at - asked).total_seconds()
    return max((answer.at - now).total_seconds(), 0)


def queues_of(app: Celery) -> dict[str, dict[str, Any]]:
    """The queues that the project gives to our tasks: name -> options that lead there.

    They come from ``task_routes``, or for a task that beat starts from the options of its entry.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, options in _ways(app):
        route = app.amqp.router.route(dict(options), name)
        queue = route.get("queue")
        if queue is None:
            way = {key: route[key] for key in ("exchange", "routing_key") if route.get(key)}
            where = "/".join(str(value) for value in way.values())
        else:
            where = str(getattr(queue, "name", queue))
            way = {"queue": where}
        found.setdefault(where, way)
    return found


def _ways(app: Celery) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each of our tasks with the options with which it is published."""
    entries = [
        (entry["task"], dict(entry.get("options") or {}))
        for entry in (app.conf.beat_schedule or {}).values()
        if entry["task"].startswith(_PREFIX)
    ]
    yield from entries
    scheduled = {name for name, _options in entries}
    for name in sorted(app.tasks):
        if name.startswith(_PREFIX) and name not in scheduled and name != tasks.answer_probe.name:
            yield name, {}
