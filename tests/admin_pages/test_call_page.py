"""The page of one call: its events and actions.

Nothing may cost money or change the history by accident.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from django_voicepassword import limits, verifications
from django_voicepassword.admin.actions import ACTIONS as ACTION_LABELS
from django_voicepassword.admin.advice import ERRORS, advise
from django_voicepassword.calls import placing, recording
from django_voicepassword.exceptions import WrongCode
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.provider.protocol import parse_report
from django_voicepassword.testing import Sent
from tests.admin_pages.staff_users import create_staff_user, logged_in
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db
ACTIONS = {
    "ask": "ask_provider",
    "sms": "send_sms",
    "voice": "send_voice",
    "cancel": "cancel_verification",
    "unblock": "unblock_phone",
}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess(callback_delay=0.01) as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess, configure: Callable[..., None]) -> SandboxProcess:
    process.reset()
    configure(**process.settings, TIMEOUT=(1, 2), RESEND_AFTER=0)
    return process


def start(number: str = "79990000001") -> CallRequest:
    return verifications.start(number).calls.get()


def address(call: CallRequest) -> str:
    return reverse("admin:django_voicepassword_callrequest_change", args=[call.pk])


def action_address(call: CallRequest, name: str) -> str:
    return reverse("admin:django_voicepassword_callrequest_do", args=[call.pk, name])


def page(client: Client, call: CallRequest) -> str:
    answer = client.get(address(call))
    assert answer.status_code == 200
    return str(answer.content.decode())


def timeline(client: Client, call: CallRequest) -> list[tuple[str, str]]:
    """Return the source and the text of each event on the page."""
    events = client.get(address(call)).context["events"]
    return [
        (event.source, strip_tags(f"{event.text} {event.state} {event.details}").strip())
        for event in events
    ]


def test_the_story_of_a_call_in_its_order(outbox: list[Sent]) -> None:
    call = start()
    assert call.verification is not None
    later = timezone.now() + timedelta(seconds=9)
    report = {
        "id": call.provider_id,
        "number": "79990000001",
        "state": "NO ANSWER",
        "price": "0.40",
        "duration": "0",
    }
    recording.record(call.pk, parse_report(report), CallStatus.Source.CALLBACK)
    recording.record(call.pk, parse_report({**report, "state": "Странно"}), CallStatus.Source.POLL)
    verifications.check(call.verification.id, outbox[0].code)
    Verification.objects.update(approved_at=later)
    assert timeline(logged_in(), call) == [
        ("customer", "asked for a code: login"),
        ("this site", "put in the queue"),
        ("this site", "asked the provider"),
        ("reply to sending", "placed price 0.00"),
        ("callback", "no answer “NO ANSWER”, price 0.40, 0 s"),
        ("poll", "other “Странно”, price 0.40, 0 s"),
        ("customer", "typed the right code approved"),
    ]


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 10000:04}"


def guess_wrong(call: CallRequest, code: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(WrongCode):
            verifications.check(str(call.verification_id), wrong_code(code))


def test_the_story_tells_how_the_verification_ended(outbox: list[Sent]) -> None:
    client = logged_in()
    started = [("customer", "asked for a code: login")]

    def story(call: CallRequest) -> list[tuple[str, str]]:
        events = timeline(client, call)
        assert events[:1] == started
        return [event for event in events[1:] if "code" in event[1] or "time" in event[1]]

    call = start()
    assert story(call) == []
    guess_wrong(call, outbox[-1].code, 2)
    two = ("customer", "typed 2 wrong codes")
    assert story(call) == [two]
    verifications.check(str(call.verification_id), outbox[-1].code)
    assert story(call) == [two, ("customer", "typed the right code approved")]

    call = start("79990000002")
    guess_wrong(call, outbox[-1].code, 1)
    verifications.cancel(str(call.verification_id))
    one = ("customer", "typed 1 wrong code")
    canceled = ("this site", "canceled: the code is no longer valid canceled")
    assert story(call) == [one, canceled]
    # Also after the time is over: it was canceled before.
    before = timezone.now() - timedelta(hours=1)
    Verification.objects.update(created_at=before, expires_at=before + timedelta(minutes=5))
    assert story(call)[-2:] == [one, canceled]
    assert "The verification was canceled" in page(client, call)

    call = start("79990000003")
    guess_wrong(call, outbox[-1].code, 5)
    assert story(call) == [
        ("customer", "typed 5 wrong codes"),
        ("this site", "no attempts were left: the code is no longer valid no attempts left"),
    ]

    call = start("79990000004")
    Verification.objects.filter(calls=call).update(
        created_at=before, expires_at=before + timedelta(minutes=5)
    )
    expired = ("this site", "the time to type the code was over expired")
    assert expired in timeline(client, call)
    Verification.expire_old(timezone.now())
    assert expired in timeline(client, call)
    closed_at = Verification.objects.get(calls=call).closed_at
    assert closed_at == before + timedelta(minutes=5)


def test_a_cancel_is_told_at_its_moment(outbox: list[Sent]) -> None:
    call = start()
    verifications.cancel(str(call.verification_id))
    moment = Verification.objects.get().closed_at
    assert moment is not None
    assert abs(moment - timezone.now()) < timedelta(seconds=10)
    report = parse_report({"number": "79990000001", "state": "BUSY"})
    recording.record(call.pk, report, "callback")
    sources = [source for source, _ in timeline(logged_in(), call)]
    assert sources[-2:] == ["this site", "callback"]


@pytest.mark.parametrize(
    ("channel", "state", "tone"),
    [
        ("flashcall", "no_answer", "good"),
        ("flashcall", "busy", "good"),
        ("flashcall", "canceled", "good"),
        ("flashcall", "failed", "bad"),
        ("voice", "answered", "good"),
        ("voice", "no_answer", "bad"),
        ("voice", "busy", "bad"),
        ("voice", "canceled", "bad"),
        ("sms", "delivered", "good"),
    ],
)
def test_only_what_told_the_code_is_green(channel: str, state: str, tone: str) -> None:
    now = timezone.now()
    verification = Verification.objects.create(
        phone="79990000001", expires_at=now + timedelta(minutes=5)
    )
    values = {"phone": "79990000001", "channel": channel, "state": state, "claimed_at": now}
    call = CallRequest.objects.create(verification=verification, **values)
    other = CallRequest.objects.create(**values)
    CallStatus.objects.create(call=call, state=state, source="callback")
    label = CallRequest.State(state).label
    badge = f'<span class="vp-badge vp-badge-{tone}">{label}</span>'
    client = logged_in()
    html = page(client, call)
    # Its own state, the report, and the other call of the number.
    assert html.count(badge) == 3, other
    calls = reverse("admin:django_voicepassword_callrequest_changelist")
    assert client.get(calls).content.decode().count(badge) == 2
    at_verification = reverse(
        "admin:django_voicepassword_verification_change", args=[verification.pk]
    )
    assert badge in client.get(at_verification).content.decode()


@pytest.mark.parametrize(
    ("status", "minutes", "badge"),
    [
        ("pending", 5, 'wait">pending'),
        ("pending", -5, 'plain">expired'),
        ("approved", -5, 'good">approved'),
        ("canceled", -5, 'plain">canceled'),
        ("expired", -5, 'plain">expired'),
        ("max_attempts", 5, 'bad">no attempts left'),
    ],
)
def test_a_canceled_verification_is_not_green(status: str, minutes: int, badge: str) -> None:
    now = timezone.now()
    verification = Verification.objects.create(
        phone="79990000001",
        status=status,
        created_at=now - timedelta(minutes=10),
        expires_at=now + timedelta(minutes=minutes),
        approved_at=now if status == "approved" else None,
    )
    call = CallRequest.objects.create(
        verification=verification, phone="79990000001", channel="sms", state="refused"
    )
    client = logged_in()
    html = f'<span class="vp-badge vp-badge-{badge}</span>'
    assert html in page(client, call)
    for name, args in (("changelist", []), ("change", [verification.pk])):
        path = reverse(f"admin:django_voicepassword_verification_{name}", args=args)
        assert html in client.get(path).content.decode()


def test_the_payload_is_folded_away_and_masked(outbox: list[Sent]) -> None:
    call = start()
    recording.record(
        call.pk,
        parse_report({"number": "79990000001", "state": "BUSY", "code": "4321"}),
        "callback",
    )
    html = page(logged_in(), call)
    assert "&quot;number&quot;: &quot;+7 *** ***-**-01&quot;" in html
    for secret in ("4321", outbox[0].code, "79990000001", call.code_digest):
        assert f"{secret}<" not in html
        assert f"&quot;{secret}" not in html
    assert "<details><summary>as the provider wrote it</summary>" in html


def test_other_calls_of_the_number_are_there_and_only_those(outbox: list[Sent]) -> None:
    older, call, other = start(), start(), start("79990000002")
    html = page(logged_in(), call)
    assert address(older) in html
    assert address(other) not in html
    assert f"?number_of={call.pk}" in html


def test_every_error_code_and_state_has_its_advice() -> None:
    for code in ERRORS:
        call = CallRequest(
            state="unknown" if code in ("no_reply", "worker_lost") else "refused",
            error_code=code.upper(),
        )
        assert advise(call) == str(ERRORS[code])
    assert "Its word is the error code" in advise(
        CallRequest(state="refused", error_code="never heard of")
    )
    words = {
        advise(CallRequest(state=state, channel=channel))
        for state in CallRequest.State
        for channel in ("voice", "sms")
    }
    assert all(words)
    assert (
        advise(CallRequest(state="queued", created_at=timezone.now())) == "It waits for a worker."
    )
    assert "Are workers running?" in advise(
        CallRequest(state="queued", created_at=timezone.now() - timedelta(minutes=1))
    )


def test_a_page_costs_a_fixed_number_of_queries(
    outbox: list[Sent], django_assert_num_queries: Any
) -> None:
    client = logged_in(*ACTIONS.values())
    for reports in (1, 10):
        call = start()
        for number in range(reports):
            recording.record(
                call.pk, parse_report({"state": "BUSY", "duration": str(number)}), "callback"
            )
            client.post(action_address(call, "unblock"))
        LogEntry.objects.update(action_time=timezone.now())
        client.get(address(call))
        with django_assert_num_queries(17):
            client.get(address(call))


@pytest.mark.parametrize(("name", "permission"), ACTIONS.items())
def test_an_action_needs_its_own_permission_and_post(
    outbox: list[Sent], name: str, permission: str
) -> None:
    call = start()
    client = logged_in(*(other for other in ACTIONS.values() if other != permission))
    assert action_address(call, name) not in page(client, call)
    assert client.post(action_address(call, name)).status_code == 403
    assert client.get(action_address(call, name)).status_code == 403
    assert len(outbox) == 1
    assert Client().post(action_address(call, name)).status_code == 302


def test_no_action_is_done_by_get(outbox: list[Sent]) -> None:
    call = start()
    client = logged_in(*ACTIONS.values())
    for name in ACTIONS:
        client.get(action_address(call, name))
    call.verification.refresh_from_db()  # type: ignore[union-attr]
    assert (len(outbox), call.verification.status, LogEntry.objects.count()) == (1, "pending", 0)  # type: ignore[union-attr]
    assert limits.usage(call.phone)
    client = Client(enforce_csrf_checks=True)
    client.login(username="support")
    assert client.post(action_address(call, "unblock")).status_code in (302, 403)
    assert limits.usage(call.phone)


def test_what_costs_is_confirmed_and_then_rings_once(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(RESEND_AFTER=0)
    call = start()
    client = logged_in("send_voice", "send_sms")
    asked = client.get(action_address(call, "voice")).content.decode()
    assert "will be called, and the provider charges about 0.35" in asked
    # Without it the buttons would not look like those of the other pages.
    assert "voicepassword/admin.css" in asked
    assert len(outbox) == 1
    answer = client.post(action_address(call, "voice"), follow=True)
    assert "Had a robot call and say the code." in answer.content.decode()
    assert [(sent.channel, sent.code) for sent in outbox] == [
        ("flashcall", outbox[0].code),
        ("voice", outbox[0].code),
    ]
    asked = client.get(action_address(call, "sms")).content.decode()
    assert "will get an SMS, and the provider charges about 3.30" in asked
    client.post(action_address(call, "sms"))
    assert [sent.channel for sent in outbox] == ["flashcall", "voice", "sms"]
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("id")] == [
        "Had a robot call and say the code.",
        "Sent the code by SMS.",
    ]
    assert ("staff", "support: Sent the code by SMS.") in timeline(client, call)
    # The limit of sends applies to support too, and the message says what to do.
    page = client.post(action_address(call, "sms"), follow=True).content.decode()
    assert "All sends of this code are used (3): the customer must ask for a new code." in page
    assert len(outbox) == 3


def test_an_impossible_action_is_explained_and_does_nothing(outbox: list[Sent]) -> None:
    call = start()
    verifications.cancel(call.verification_id)  # type: ignore[arg-type]
    client = logged_in(*ACTIONS.values())
    html = page(client, call)
    assert "A call needs a verification that is still open" in html
    assert f'href="{action_address(call, "voice")}"' not in html
    pressed = client.post(action_address(call, "voice"), follow=True).content.decode()
    assert "Let a robot call and say the code: A call needs a verification" in pressed
    call_without_verification = CallRequest.objects.create(
        phone="79990000003", channel="voice", state="placed", claimed_at=timezone.now()
    )
    for name in ("ask", "voice", "cancel"):
        message = str(ACTION_LABELS[name].label)
        answer = client.post(action_address(call_without_verification, name), follow=True)
        assert f"{message}: " in strip_tags(answer.content.decode())
    assert len(outbox) == 1
    assert not LogEntry.objects.exists()


def test_canceling_and_unblocking(outbox: list[Sent]) -> None:
    call = start()
    client = logged_in("cancel_verification", "unblock_phone")
    client.post(action_address(call, "cancel"))
    assert verifications.get(call.verification_id).status == "canceled"  # type: ignore[arg-type]
    assert limits.usage(call.phone)
    client.post(action_address(call, "unblock"))
    assert limits.usage(call.phone) == []
    assert "No limit of this number is used." in page(client, call)


def test_nobody_gives_guesses_twice_a_day_and_each_time_is_noted(
    configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """The number has no call: a stranger used up its guesses, and the history was purged."""
    configure(LIMITS={"phone": [], "ip": [], "phone_guesses": ["3/d"]})
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    phone, unblock = "79991234567", reverse("admin:django_voicepassword_callrequest_unblock")
    for number in range(3):
        user = create_staff_user("unblock_phone", name=f"support{number}")
        client = Client()
        client.force_login(user)
        for _ in range(3):
            uses = limits.make_uses({"phone_guesses": phone})
            limits.reserve(uses, timezone.now()).commit()
            if number:
                break
        answer = client.post(unblock, {"phone": phone}, follow=True).content.decode()
        assert "+7 *** ***-**-67: Unblocked the number: its " in answer
        assert ("again in 24 hours" in answer) == bool(number)
        assert limits.usage(phone) == ([("phone_guesses 3/d", number, 3)] if number else [])
        entry = LogEntry.objects.latest("id")
        assert (entry.user, entry.object_repr) == (user, "+7 *** ***-**-67")
        what = "sends" if number else "sends and guesses"
        assert caplog.messages[-1] == f"user {user.pk} unblocked the {what} of +7 *** ***-**-67"
    # Pressed at a call, the button counts for the same number.
    call = CallRequest.objects.create(phone=phone, channel="voice")
    client.post(action_address(call, "unblock"))
    assert limits.usage(phone) == [("phone_guesses 3/d", 2, 3)]
    assert LogEntry.objects.latest("id").object_id == str(call.pk)
    assert "wrong guesses still count" in LogEntry.objects.latest("id").change_message
    assert caplog.messages[-1].endswith("unblocked the sends of +7 *** ***-**-67")


def test_the_provider_is_asked_now(
    sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    call = start()
    placing.place(call.pk)
    client = logged_in("ask_provider")
    answer = client.post(action_address(call, "ask"), follow=True)
    assert "The provider says: " in answer.content.decode()
    assert call.statuses.filter(source="poll").count() == 1
    assert LogEntry.objects.get().object_id == str(call.pk)


def test_a_provider_that_is_down_is_reported_and_nothing_is_noted(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    call = start()
    placing.place(call.pk)
    configure(
        TRANSPORT="http", API_KEY="secret-key", API_URL="http://127.0.0.1:9/", TIMEOUT=(0.2, 0.2)
    )
    logging.disable(logging.CRITICAL)
    try:
        html = (
            logged_in("ask_provider")
            .post(action_address(call, "ask"), follow=True)
            .content.decode()
        )
    finally:
        logging.disable(logging.NOTSET)
    assert "could not be done" in html
    assert "secret-key" not in html
    assert not LogEntry.objects.exists()


def test_a_call_that_is_not_there_and_an_unknown_action() -> None:
    client = logged_in(*ACTIONS.values())
    call = CallRequest.objects.create(
        phone="79990000003", channel="voice", state="placed", claimed_at=timezone.now()
    )
    assert client.post(action_address(call, "explode")).status_code == 404
    call.pk = 999999
    assert client.post(action_address(call, "ask")).status_code == 404
    assert client.get(address(call)).status_code == 302


def test_a_masked_call_shows_no_calls_to_other_numbers_of_its_block() -> None:
    """Masked by RETENTION, they have the same beginning and nothing more."""
    calls = [
        CallRequest.objects.create(
            phone="7999123****", channel="voice", state="busy", claimed_at=timezone.now()
        )
        for _ in range(2)
    ]
    client = logged_in("view_full_phone")
    text = page(client, calls[0])
    assert "There are none." in text
    assert '<span class="vp-phone">+7999123****</span>' in text
    assert "tel:" not in text
    call_list = reverse("admin:django_voicepassword_callrequest_changelist")
    answer = client.get(call_list, {"number_of": str(calls[0].pk)})
    assert list(answer.context["cl"].result_list) == []
