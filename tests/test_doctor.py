"""``voicepassword_doctor``: each fault is found, with advice; nothing rings or stays behind.

The tests with a worker as a process are in ``faults/test_doctor.py``.
"""

from __future__ import annotations

import io
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from celery import Celery, current_app
from django.apps import apps
from django.core import checks
from django.core.management import CommandError, call_command
from django.core.management.color import color_style, no_style
from django.db import OperationalError, connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import RequestFactory
from django.utils import timezone, translation

from django_voicepassword import tasks, upkeep, verifications
from django_voicepassword.calls import broker
from django_voicepassword.limits import circuit, client_ip, probes
from django_voicepassword.management import doctor
from django_voicepassword.management.doctor import Finding, Level, callback, clocks, queues
from django_voicepassword.models import BalanceReading, CallRequest, CallStatus, LimitCounter
from django_voicepassword.provider import factory
from django_voicepassword.security import callback_tokens
from django_voicepassword.testing import Sent
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture
def site(sandbox: SandboxProcess, configure: Callable[..., None]) -> Callable[..., None]:
    """A site that calls through the sandbox; ``site(LOW_BALANCE=…)`` changes its settings."""

    def change(**keys: Any) -> None:
        configure(**{**sandbox.settings, "CALLBACK_BASE_URL": None, "DISPATCH": "inline", **keys})

    sandbox.reset()
    change()
    return change


def examine(wait: float = 0.1) -> dict[str, Finding]:
    """Return the findings by their names, of several with one name the worst."""
    found: dict[str, Finding] = {}
    for finding in doctor.examine(wait, lambda text: None):
        known = found.setdefault(finding.name, finding)
        found[finding.name] = max(known, finding, key=lambda either: either.level)
    return found


def faults() -> dict[str, str]:
    return {name: found.text for name, found in examine().items() if found.level == Level.FAULT}


@contextmanager
def using_broker(address: str = "memory://", **conf: Any) -> Iterator[Celery]:
    """Make a Celery app with a broker of its own the current one, with the tasks of this app."""
    usual = current_app._get_current_object()
    app = Celery(f"app-{uuid.uuid4().hex}", broker=address, set_as_current=False)
    app.conf.update(task_default_queue=f"celery-{uuid.uuid4().hex[:6]}", **conf)
    app.set_current()
    try:
        yield app
    finally:
        usual.set_current()


@contextmanager
def worker(
    app: Celery, *names: str, answer: Callable[[str], None] = tasks.answer_probe
) -> Iterator[None]:
    """Take the tasks of some queues in a thread, as a worker does, until the block ends."""
    ends = threading.Event()

    def run() -> None:
        with app.connection_for_read() as connected:
            taken = [connected.SimpleQueue(name) for name in names]
            while not ends.is_set():
                for queue in taken:
                    try:
                        message = queue.get(timeout=0.05)
                    except queue.Empty:
                        continue
                    # All tests of a process share the queues in its memory.
                    if message.headers["task"] == "django_voicepassword.tasks.answer_probe":
                        answer(*message.payload[0])
                    message.ack()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def rows() -> dict[str, int]:
    models = apps.get_app_config("django_voicepassword").get_models()
    return {model.__name__: model._default_manager.count() for model in models}


@pytest.mark.django_db(transaction=True)
def test_a_site_where_all_works_has_no_fault_and_nothing_is_left_behind(
    site: Callable[..., None], sandbox: SandboxProcess, live_server: Any
) -> None:
    with using_broker() as app, worker(app, app.conf.task_default_queue):
        site(DISPATCH="celery", CALLBACK_BASE_URL=live_server.url, RETENTION_DAYS=30)
        upkeep.note_beat()
        before = rows()
        found = examine(wait=20)
    assert {name for name, finding in found.items() if finding.level == Level.FINE} >= {
        "database",
        "migrations",
        "API key",
        "money",
        "clock of the provider",
        "callback",
        "broker",
        f"queue {app.conf.task_default_queue}",
        "beat",
        "retention",
        "proxies",
    }
    assert [finding for finding in found.values() if finding.level == Level.FAULT] == []
    assert rows() == before
    assert sandbox.calls() == []


def test_the_command_ends_with_an_error_where_something_does_not_work(
    site: Callable[..., None],
) -> None:
    out = io.StringIO()
    call_command("voicepassword_doctor", stdout=out)
    assert re.search(r"^0 faults, \d warnings?$", out.getvalue(), re.MULTILINE)
    site(API_KEY="wrong")
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 fault, \d warnings?$"):
        call_command("voicepassword_doctor", stdout=out)
    assert "FAULT" in out.getvalue()
    assert "wrong" not in out.getvalue()


@pytest.mark.parametrize("transport", ["console", "memory"])
def test_without_an_account_its_probes_do_not_apply(
    configure: Callable[..., None], transport: str
) -> None:
    configure(TRANSPORT=transport, CALLBACK_BASE_URL="https://example.org")
    found = examine()
    assert {found[name].level for name in ("API key", "callback", "broker")} == {Level.SKIPPED}
    assert faults() == {}


def test_a_wrong_key_is_a_fault_and_stops_no_send_of_the_site(
    site: Callable[..., None], sandbox: SandboxProcess
) -> None:
    site(API_KEY="wrong")
    assert "authorisation_failed" in faults()["API key"]
    assert circuit.refusal() is None
    assert not BalanceReading.objects.exists()


def test_a_provider_that_cannot_be_reached_is_a_fault(site: Callable[..., None]) -> None:
    site(API_URL="http://127.0.0.1:9/")
    assert "does not answer" in faults()["account"]
    assert examine()["clock of the provider"].level == Level.SKIPPED


@pytest.mark.parametrize(
    ("balance", "level"), [("0.10", Level.FAULT), ("50.00", Level.WARNING), ("500.00", Level.FINE)]
)
def test_money(
    site: Callable[..., None], sandbox: SandboxProcess, balance: str, level: Level
) -> None:
    site(LOW_BALANCE=Decimal(100))
    sandbox.set_balance(balance)
    assert examine()["money"].level == level


def test_a_site_whose_account_was_refused_is_a_fault_although_the_key_is_right_here(
    site: Callable[..., None],
) -> None:
    circuit.open_circuit("user_disabled")
    assert "user_disabled" in faults()["site"]


@contextmanager
def answering(status: int, body: bytes, kind: str = "application/json") -> Iterator[str]:
    """A web server that gives this answer to every POST."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "https://example.org/")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (302, b"", "redirect"),
        (401, b"", "asks for a login"),
        (403, b"Checking your browser", "asks for a login"),
        (404, b"Not Found", "Nothing is there"),
        (404, b'{"detail": "Not found."}', "does not take the token"),
        (400, b"Bad Request", "refused as bad"),
        (502, b"Bad Gateway", "fails"),
        (200, b"Welcome", "Something other"),
        (200, b'{"result": "fine"}', "Something other"),
    ],
)
def test_what_answers_in_place_of_our_view_is_a_fault(
    site: Callable[..., None], status: int, body: bytes, text: str
) -> None:
    with answering(status, body) as address:
        site(CALLBACK_BASE_URL=address)
        found = examine()["callback"]
    assert (found.level, bool(found.advice)) == (Level.FAULT, True)
    assert text in found.text


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("http://127.0.0.1:9", "refused"),
        ("https://no-such-host.invalid", "cannot be resolved"),
    ],
)
def test_an_address_for_callbacks_that_cannot_be_reached_is_a_fault(
    site: Callable[..., None], address: str, text: str
) -> None:
    site(CALLBACK_BASE_URL=address)
    assert text in faults()["callback"]


def test_https_on_a_port_without_tls_is_a_fault(site: Callable[..., None]) -> None:
    with answering(200, b"") as address:
        site(CALLBACK_BASE_URL=address.replace("http:", "https:"))
        assert "TLS" in faults()["callback"]


def test_an_address_that_stays_silent_is_a_fault(
    site: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback, "PATIENCE", 0.05)
    asked = threading.Event()
    monkeypatch.setattr(callback, "_post", lambda address: asked.wait(20))
    site(CALLBACK_BASE_URL="https://example.org")
    assert "does not answer in time" in faults()["callback"]
    asked.set()


@pytest.mark.django_db(transaction=True)
def test_another_secret_key_and_addresses_that_are_not_allowed(
    site: Callable[..., None], live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site(CALLBACK_BASE_URL=live_server.url, CALLBACK_ALLOWED_IPS=["192.0.2.0/24"])
    assert examine()["callback"].level == Level.SKIPPED
    site(CALLBACK_BASE_URL=live_server.url, CALLBACK_ALLOWED_IPS=[])
    make_token = callback_tokens.make_callback_token
    monkeypatch.setattr(
        callback_tokens, "make_callback_token", lambda call_id: f"{make_token(call_id)}x"
    )
    assert "does not take the token" in faults()["callback"]


def placed_calls(number: int, reported: int) -> None:
    now = timezone.now()
    for index in range(number):
        call = CallRequest.objects.create(
            phone="79990000001",
            channel="flashcall",
            state="no_answer",
            provider_id=f"id-{index}",
            claimed_at=now - timedelta(minutes=5),
            placed_at=now - timedelta(minutes=5),
        )
        source = "callback" if index < reported else "poll"
        CallStatus.objects.create(call=call, state="no_answer", source=source)


@pytest.mark.parametrize(
    ("number", "reported", "level", "text"),
    [
        (2, 0, Level.SKIPPED, "too few"),
        (3, 0, Level.WARNING, "None came for the newest 3 calls"),
        (4, 1, Level.FINE, "reported 1 of the newest 4 calls"),
    ],
)
def test_whether_the_provider_reaches_us_is_told_by_its_callbacks(
    site: Callable[..., None], number: int, reported: int, level: Level, text: str
) -> None:
    site(CALLBACK_BASE_URL="http://127.0.0.1:9")
    placed_calls(number, reported)
    found = examine()["callbacks received"]
    assert found.level == level
    assert text in found.text


def test_a_loopback_address_for_callbacks_of_the_real_provider_is_a_fault(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(CALLBACK_BASE_URL="http://localhost:8000")
    monkeypatch.setattr(factory, "is_pretended", lambda: False)
    found = {finding.name: finding for finding in callback.callback()}
    assert found["callbacks received"].level == Level.FAULT


def test_a_broker_that_is_down_is_a_fault(site: Callable[..., None]) -> None:
    site(DISPATCH="celery")
    with using_broker("redis://:secret@127.0.0.1:9/0"):
        found = examine()
    assert found["broker"].level == Level.FAULT
    assert not [name for name in found if name.startswith("queue")]
    assert "secret" not in str(found)


def test_tasks_that_run_at_once_need_no_broker(site: Callable[..., None]) -> None:
    site(DISPATCH="celery")
    with using_broker(task_always_eager=True):
        assert examine()["broker"].level == Level.SKIPPED


ROUTES = {"django_voicepassword.tasks.place_call": {"queue": "calls"}}


def test_a_queue_without_a_worker_is_a_fault_and_a_late_answer_leaves_nothing(
    site: Callable[..., None],
) -> None:
    site(DISPATCH="celery")
    with using_broker(task_routes=ROUTES) as app:
        found = examine(wait=0)
        assert found["queue calls"].level == Level.FAULT
        assert "--queues calls" in found["queue calls"].advice
        with app.connection_for_read() as connected:
            message = connected.SimpleQueue("calls").get(timeout=5)
    # A worker whose clock is minutes ahead must not drop it.
    assert message.headers["expires"] > (timezone.now() + timedelta(minutes=30)).isoformat()
    (key,), *_ = message.payload
    tasks.answer_probe(key)
    assert not LimitCounter.objects.filter(key__startswith="probe:").exists()


def test_a_queue_that_the_broker_does_not_take_is_a_fault(
    site: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionResetError

    site(DISPATCH="celery")
    monkeypatch.setattr(broker, "publish", refuse)
    with using_broker(task_routes=ROUTES):
        assert "takes no task" in faults()["queue calls"]
    assert not LimitCounter.objects.filter(key__startswith="probe:").exists()


def other_settings(**values: str) -> Callable[[str], None]:
    """A worker with other settings."""

    def answer(key: str) -> None:
        fingerprint = {**probes.fingerprint(), **values}
        LimitCounter.objects.filter(key=key).update(events=json.dumps(fingerprint))

    return answer


def an_hour_ahead(key: str) -> None:
    """A worker whose clock is an hour ahead."""
    tasks.answer_probe(key)
    LimitCounter.objects.filter(key=key).update(updated_at=timezone.now() + timedelta(hours=1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("answer", "name", "level", "text"),
    [
        (other_settings(API_KEY="other"), "queue calls", Level.FAULT, ": API_KEY."),
        (other_settings(SECRET_KEY="x", API_KEY="x"), "queue calls", Level.FAULT, ": SECRET_KEY."),
        (other_settings(CODE_TTL="other"), "queue calls", Level.WARNING, ": CODE_TTL."),
        (an_hour_ahead, "clock of the worker", Level.FAULT, "3600 s ahead"),
    ],
)
def test_a_worker_with_other_settings_or_another_clock(
    site: Callable[..., None],
    answer: Callable[[str], None],
    name: str,
    level: Level,
    text: str,
) -> None:
    site(DISPATCH="celery")
    with using_broker(task_routes=ROUTES) as app:
        app.conf.task_default_queue = "calls"
        with worker(app, "calls", answer=answer):
            found = examine(wait=20)[name]
    assert found.level == level
    assert text in re.sub(r"359\d|360\d", "3600", found.text)


def test_the_queues_are_those_that_the_project_gives_to_our_tasks() -> None:
    routes = {
        "django_voicepassword.tasks.place_call": {"queue": "calls"},
        "django_voicepassword.tasks.purge": {"exchange": "slow", "routing_key": "slow.purge"},
        "other.tasks.*": {"queue": "other"},
    }
    schedule = {
        "balance": {
            "task": "django_voicepassword.tasks.check_balance",
            "schedule": 3600,
            "options": {"queue": "provider"},
        },
        "other": {"task": "other.tasks.clean", "schedule": 60, "options": {"queue": "cleaning"}},
    }
    with using_broker(task_routes=routes, beat_schedule=schedule) as app:
        found = queues.queues_of(app)
    default = app.conf.task_default_queue
    assert found.pop(default) == {"queue": default}
    assert found.pop("calls") == {"queue": "calls"}
    assert found.pop("provider") == {"queue": "provider"}
    assert list(found.values()) == [{"exchange": "slow", "routing_key": "slow.purge"}]


def test_beat_that_is_silent_and_calls_that_wait_are_faults(site: Callable[..., None]) -> None:
    site(DISPATCH="celery")
    CallRequest.objects.create(
        phone="79990000001",
        channel="voice",
        state="queued",
        created_at=timezone.now() - timedelta(minutes=2),
    )
    with using_broker():
        found = faults()
    assert "have never run" in found["beat"]
    assert "has waited for" in found["waiting calls"]


def test_a_migration_that_was_not_applied_is_a_fault_and_ends_the_examination() -> None:
    MigrationRecorder(connection).record_unapplied("django_voicepassword", "0001_initial")
    found = examine()
    assert "0001_initial" in found["migrations"].text
    assert list(found) == ["database", "migrations", "all else"]


def test_a_database_that_does_not_answer_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("password authentication failed for user postgres")

    monkeypatch.setattr("django_voicepassword.management.doctor.database._ask", fail)
    found = examine()
    assert found["database"].level == Level.FAULT
    assert "postgres" not in found["database"].text


def test_a_wrong_setting_is_a_fault_and_ends_the_examination(
    configure: Callable[..., None],
) -> None:
    configure(CODE_TTL="soon")
    found = examine()
    assert (found["settings"].level, found["settings"].text) == (Level.FAULT, "voicepassword.E003")
    assert list(found)[-1] == "all else"


def test_warnings_of_the_system_checks_are_told_unless_silenced(
    site: Callable[..., None], settings: Any
) -> None:
    settings.SILENCED_SYSTEM_CHECKS = ["voicepassword.W014"]
    found = examine()["settings"]
    assert found.level == Level.WARNING
    assert "voicepassword.W010" in found.text
    assert "voicepassword.W014" not in found.text


@pytest.mark.parametrize(("deploy", "level"), [(True, Level.WARNING), (False, Level.FAULT)])
def test_an_error_that_another_app_sees_in_a_deployment_alone_is_a_warning(
    site: Callable[..., None], deploy: bool, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(**options: Any) -> list[checks.Error]:
        return [checks.Error("This is no mailer for a deployment.", id="shop.E001")]

    for checked in ("registered_checks", "deployment_checks"):
        known = getattr(checks.registry.registry, checked)
        monkeypatch.setattr(checks.registry.registry, checked, set(known))
    checks.register(check, "mail", deploy=deploy)
    found = examine()
    assert (found["settings"].level, "shop.E001" in found["settings"].text) == (level, True)
    assert ("API key" in found) is deploy


@pytest.mark.parametrize("retention", ["delete", "mask"])
def test_calls_that_a_purge_should_have_taken_are_a_fault(
    configure: Callable[..., None], retention: str
) -> None:
    configure(RETENTION_DAYS=30, RETENTION=retention)
    at = timezone.now() - timedelta(days=31)
    call = CallRequest.objects.create(
        phone="79990000001", channel="voice", state="busy", created_at=at, claimed_at=at
    )
    assert faults() == {}
    CallRequest.objects.filter(pk=call.pk).update(created_at=at - timedelta(days=2))
    assert "purge does not run" in faults()["retention"]
    call_command("voicepassword_purge", stdout=io.StringIO())
    assert faults() == {}


def test_a_header_of_a_proxy_that_nobody_has_counted_is_a_warning(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    request = RequestFactory().get("/", headers={"x-forwarded-for": "192.0.2.7"})
    verifications.start("79990000001", request=request)
    found = examine()["proxies"]
    assert (found.level, bool(found.advice)) == (Level.WARNING, True)
    assert "X-Forwarded-For" in found.text
    configure(TRUSTED_PROXIES=1)
    assert examine()["proxies"].level == Level.FINE


def test_what_was_seen_of_a_proxy_long_ago_is_no_news() -> None:
    LimitCounter.objects.create(
        key=f"once:{client_ip.FORWARDED}", updated_at=timezone.now() - timedelta(days=2)
    )
    assert examine()["proxies"].level == Level.FINE


@pytest.mark.parametrize(
    ("ahead", "must", "level"),
    [
        (1.9, True, Level.FINE),
        (-2.1, False, Level.WARNING),
        (59, True, Level.WARNING),
        (61, True, Level.FAULT),
        (-61, True, Level.FAULT),
        (3600, False, Level.WARNING),
    ],
)
def test_clocks(ahead: float, must: bool, level: Level) -> None:
    assert clocks.finding("clock", ahead, must=must).level == level


FOUND = [
    Finding(Level.FINE, "broker", "It answers."),
    Finding(Level.FAULT, "a longer name", "It does not answer at all. " * 3, "Start it."),
]


def test_the_table_is_aligned_and_as_wide_as_it_may_be() -> None:
    assert list(doctor.lines(FOUND, 60, no_style())) == [
        "ok     broker         It answers.",
        "FAULT  a longer name  It does not answer at all. It does not",
        "                      answer at all. It does not answer at",
        "                      all.",
        "                      -> Start it.",
    ]


def test_the_table_has_colours_on_a_terminal_alone(
    site: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("DJANGO_COLORS", "dark")
    for stream, is_coloured in ((Terminal(), True), (io.StringIO(), False)):
        call_command("voicepassword_doctor", stdout=stream, force_color=True)
        assert ("\x1b[" in stream.getvalue()) == is_coloured
    coloured = list(doctor.lines(FOUND, 60, color_style(force_color=True)))
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured[0]) == "ok     broker         It answers."


def test_what_is_looked_at_now_is_shown_on_a_terminal_and_wiped(
    configure: Callable[..., None],
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    call_command("voicepassword_doctor", stdout=io.StringIO(), stderr=terminal)
    first, *_others, last, end = terminal.getvalue().split("\r")[1:]
    assert (first, last.strip(), end) == ("database", "", "")


def test_the_table_is_in_one_language(site: Callable[..., None], sandbox: SandboxProcess) -> None:
    site(DISPATCH="celery", CALLBACK_BASE_URL="http://127.0.0.1:9")
    with using_broker(), translation.override("ru"):
        out = io.StringIO()
        with pytest.raises(CommandError) as caught:
            call_command("voicepassword_doctor", "--wait=0", stdout=out)
    text = f"{out.getvalue()} {caught.value}"
    names = (
        r"«[^»]*»|[A-Z_]{3,}|VoicePassword|voicepassword\.\w+|security\.\w+|celery-\w+|Rub|DNS|"
        r"API|beat|--wait|\((memory|sqlite|postgresql|mysql)\)"
    )
    assert re.findall("[A-Za-z]{2,}", re.sub(names, "", text)) == []
