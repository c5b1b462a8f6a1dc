"""Reports the states of calls to their callback URLs, each in a thread of its own."""

from __future__ import annotations

import heapq
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from itertools import count

from django_voicepassword.sandbox.calls import Call

#: How often a callback is sent until it is answered with a 2xx status.
CALLBACK_TRIES = 5
#: What ``Outcome.callbacks`` "late" adds to the delay, in seconds.
LATE = 10.0

_order = count()


@dataclass
class Callback:
    """One report of a state. ``how`` is ``Outcome.callbacks``."""

    call: Call
    state: str
    how: str
    tries: int = 0


@dataclass(order=True)
class _Due:
    at: float
    order: int
    callback: Callback = field(compare=False)


class Callbacks:
    """Sends callbacks until the process ends. Changes a call only while it holds ``lock``."""

    def __init__(self, lock: threading.RLock, delay: float) -> None:
        #: Every callback that was sent, with the status of its answer.
        self.sent: list[dict[str, object]] = []
        self._delay = delay
        self._lock = lock
        self._queue: list[_Due] = []
        self._is_due = threading.Condition(lock)
        threading.Thread(target=self._run, daemon=True).start()

    def reset(self) -> None:
        with self._lock:
            self.sent = []
            self._queue.clear()

    def schedule(self, call: Call, states: tuple[str, ...], how: str) -> None:
        """Report ``states`` one after the other, as ``Outcome.callbacks`` says."""
        if how == "early":
            self._send(Callback(call, states[-1], how))
            return
        if how == "reversed":
            # A call has a single report, so an older one is invented that can arrive after it.
            states = states[::-1] if call.channel == "sms" else (*states[::-1], "DIALING")
        delay = self._delay + (LATE if how == "late" else 0)
        for step, state in enumerate(states, start=1):
            for _ in range(2 if how == "twice" else 1):
                self._queue_after(delay * step, Callback(call, state, how))

    def _queue_after(self, seconds: float, callback: Callback) -> None:
        with self._is_due:
            heapq.heappush(self._queue, _Due(time.monotonic() + seconds, next(_order), callback))
            self._is_due.notify()

    def _run(self) -> None:
        while True:
            with self._is_due:
                wait = self._queue[0].at - time.monotonic() if self._queue else None
                if wait is None or wait > 0:
                    self._is_due.wait(wait)
                    continue
                callback = heapq.heappop(self._queue).callback
            threading.Thread(target=self._send, args=(callback,), daemon=True).start()

    def _send(self, callback: Callback) -> None:
        """Move the call to its new state, and report that if the call has a callback URL."""
        call = callback.call
        with self._lock:
            if callback.how != "reversed" or call.state in ("DIALING", "QUEUED"):
                call.state = callback.state
            call.duration = 4 if call.state == "ANSWERED" else 0
        if not call.callback_url or callback.how == "never":
            return
        status = _post(call.callback_url, call.callback(callback.state), callback.how == "form")
        with self._lock:
            self.sent.append({"id": call.id, "state": callback.state, "status": status})
        callback.tries += 1
        if not 200 <= status < 300 and callback.tries < CALLBACK_TRIES:
            self._queue_after(2.0**callback.tries, callback)


def _post(url: str, body: dict[str, str], is_form: bool) -> int:
    """Post ``body`` as a form or as JSON. Returns the HTTP status, or 0 without an answer."""
    if not url.startswith(("http://", "https://")):
        return 0
    data = urllib.parse.urlencode(body) if is_form else json.dumps(body)
    kind = "application/x-www-form-urlencoded" if is_form else "application/json"
    request = urllib.request.Request(  # noqa: S310
        url, data.encode(), {"Content-Type": kind}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # http alone: see above  # noqa: S310  # nosec B310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except (OSError, ValueError):
        return 0
