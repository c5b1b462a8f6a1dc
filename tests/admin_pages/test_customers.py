"""One box finds a customer, and one page tells the story of the person."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from django_voicepassword import limits, verifications
from django_voicepassword.admin.advice import ERRORS
from django_voicepassword.admin.error_names import error_name
from django_voicepassword.admin.person.sentences import sentence
from django_voicepassword.admin.refusal_texts import REASONS
from django_voicepassword.exceptions import RateLimited, WrongCode
from django_voicepassword.history.attempts import PAGE, Attempt
from django_voicepassword.models import (
    CallRequest,
    LimitCounter,
    RefusedAttempt,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.security import masking
from django_voicepassword.testing import Sent
from tests.admin_pages.staff_users import create_staff_user, logged_in

pytestmark = pytest.mark.django_db
CUSTOMERS = "/admin/django_voicepassword/person/"
PHONE = "79991234567"


def create_attempt(phone: str = PHONE, age: float = 0, **values: Any) -> Verification:
    """Create a verification that began ``age`` minutes ago, with one call."""
    began = timezone.now() - timedelta(minutes=age)
    verification = Verification.objects.create(
        phone=phone, created_at=began, expires_at=began + timedelta(minutes=5), sends=1, **values
    )
    CallRequest.objects.create(
        verification=verification,
        phone=phone,
        channel="flashcall",
        state="no_answer",
        created_at=began,
        claimed_at=began,
        provider_id=f"id-{phone[-4:]}",
    )
    return verification


def approve(verification: Verification, user: User) -> Verification:
    Verification.objects.filter(pk=verification.pk).update(
        status="approved", approved_at=verification.created_at, user=user
    )
    return verification


def find(client: Client, text: str) -> Any:
    answer = client.post(CUSTOMERS, {"q": text}, follow=True)
    assert answer.status_code == 200
    return answer


def story(answer: Any) -> list[tuple[str, list[str]]]:
    """Return the title of each card, with its badge, and its lines."""
    return [
        (
            strip_tags(f"{card.title} {card.badge}").strip(),
            [strip_tags(f"{line.text} {line.badge}").strip() for line in card.lines],
        )
        for card in answer.context["cards"]
    ]


@pytest.fixture
def anna() -> User:
    """A user who has proved PHONE by a login."""
    user = get_user_model().objects.create_user(
        "anna77", "anna@example.org", first_name="Anna", last_name="Petrova"
    )
    VerifiedPhone.objects.create(user=user, phone=PHONE)
    approve(create_attempt(), user)
    return user


@pytest.mark.parametrize(
    "text",
    [
        "67",
        "4567",
        "8 (999) 123-45-67",
        f"+{PHONE}",
        "+7 *** ***-**-67",
        "anna77",
        "anna@example.org",
        "Anna@Example.org",
        "petrova",
        "Anna Petrova",
        "Petrova Anna",
        "id-4567",
    ],
)
def test_everything_that_a_customer_says_leads_to_one_page(anna: User, text: str) -> None:
    create_attempt("79990000001")
    client = logged_in()
    answer = find(client, text)
    assert answer.context["head"]["name"] == "anna77, Anna Petrova"
    assert story(answer) == [
        (
            "asked for a code: login approved",
            ["flash call no answer", "customer: typed the right code and logged in"],
        )
    ]
    assert "Your code was right: you logged in at" in answer.content.decode()
    # No address has the number, and no page either.
    assert all(PHONE not in address for address, _status in answer.redirect_chain)
    assert PHONE not in answer.content.decode()
    assert "123-45-67" not in answer.content.decode()


def test_the_id_of_a_verification_finds_its_person(anna: User) -> None:
    answer = find(logged_in(), str(Verification.objects.get().pk))
    assert answer.context["head"]["name"].startswith("anna77")


def test_several_people_are_a_list_to_choose_from(anna: User) -> None:
    create_attempt("79995554567", age=2)
    RefusedAttempt.objects.create(phone="79990004567", address="192.0.2.1", reason="ip")
    client = logged_in()
    answer = find(client, "4567")
    # It can be left and come back to: its address has the ending.
    assert answer.redirect_chain == [(f"{CUSTOMERS}?q=4567", 302)]
    found = answer.context["found"]
    assert [(one.name, one.numbers) for one in found] == [
        ("anna77, Anna Petrova", ["+7 *** ***-**-67"]),
        ("", ["+7 *** ***-**-67"]),
        ("", ["+7 *** ***-**-67"]),
    ]
    titles = [story(client.get(one.address))[0][0] for one in found]
    assert titles == [
        "asked for a code: login approved",
        "asked for a code: login pending",
        "nothing was sent: too many calls for the address without a right code",
    ]
    assert "Nobody was found." in find(client, "0000").content.decode()


def test_all_numbers_of_a_user_are_one_person(anna: User) -> None:
    VerifiedPhone.objects.create(user=anna, phone="79997654567")
    create_attempt("79997654567")
    answer = find(logged_in(), "4567")
    assert len(answer.context["head"]["numbers"]) == 2
    assert len(answer.context["cards"]) == 2


def test_a_number_that_nobody_tried_has_a_page_and_its_limits(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone_guesses": ["3/d"]})
    limits.reserve(limits.make_uses({"phone_guesses": PHONE}), timezone.now()).commit()
    client = logged_in("unblock_phone")
    answer = client.post(CUSTOMERS, {"q": "8 999 123-45-67"})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Nobody has asked for a code for your number." in page
    assert "wrong codes for the number in 24 hours: 1 of 3" in page
    unblock = reverse("admin:django_voicepassword_callrequest_unblock")
    assert f'action="{unblock}"' in page
    assert "Unblock" not in logged_in_again().post(CUSTOMERS, {"q": PHONE}).content.decode()


def logged_in_again() -> Client:
    client = Client()
    client.force_login(create_staff_user(name="reader"))
    return client


def test_an_address_leads_to_what_was_refused_to_it() -> None:
    answer = logged_in().post(CUSTOMERS, {"q": "192.0.2.1"})
    assert answer.headers["Location"] == "/admin/django_voicepassword/callrequest/?q=192.0.2.1"


#: No database of a test counts so far, though PostgreSQL counts on from test to test.
FAR = 2_000_000_000


@pytest.mark.parametrize(
    "key", [f"call={FAR}", "call=x", f"user={FAR}", "user=x", "refused=1", "phone="]
)
def test_what_is_gone_is_said_to_be_gone(key: str) -> None:
    page = logged_in().get(f"{CUSTOMERS}?{key}").content.decode()
    assert "Nothing is kept of it any more." in page
    assert 'id="vp-who"' in page


def test_a_number_that_was_cut_is_nobody() -> None:
    """Ten thousand numbers have the same beginning."""
    calls = [
        CallRequest.objects.create(phone="7999123****", channel="voice", provider_id="x")
        for _ in range(2)
    ]
    client = logged_in("view_full_phone", "unblock_phone")
    assert "Nobody was found." in find(client, "x").content.decode()
    answer = client.get(f"{CUSTOMERS}?call={calls[0].pk}")
    assert story(answer) == []


def test_only_whoever_may_see_calls_finds_customers(anna: User) -> None:
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    client = Client()
    client.force_login(user)
    for answer in (
        client.get(CUSTOMERS),
        client.get(f"{CUSTOMERS}?user={anna.pk}&part=live"),
        client.post(CUSTOMERS, {"q": "4567"}),
        client.post(f"{CUSTOMERS}unblock/?user={anna.pk}"),
    ):
        assert answer.status_code == 403
    assert Client().get(CUSTOMERS).status_code == 302


def test_the_box_is_on_the_first_page_of_the_app_and_has_the_focus() -> None:
    page = logged_in().get("/admin/django_voicepassword/").content.decode()
    box = re.search(r'<form class="vp-box" method="post" action="([^"]+)"', page)
    assert box is not None
    assert box[1] == CUSTOMERS
    assert re.search(r'<input id="vp-who" [^>]*autofocus>', page)
    other = Client()
    other.force_login(create_staff_user(name="auditor"))
    User.objects.get(username="auditor").user_permissions.filter(
        codename="view_callrequest"
    ).delete()
    assert 'id="vp-who"' not in other.get("/admin/django_voicepassword/").content.decode()


def test_the_page_of_a_user_leads_to_the_customer(anna: User) -> None:
    address = f"/admin/auth/user/{anna.pk}/change/"
    link = f'<a href="{CUSTOMERS}?user={anna.pk}">Calls, codes and logins of this person</a>'
    client = logged_in("view_user", "change_user")
    assert client.get(address).content.decode().count(link) == 1
    assert link not in client.get("/admin/auth/user/").content.decode()
    other = create_staff_user("view_user", name="other")
    other.user_permissions.remove(*other.user_permissions.filter(codename="view_callrequest"))
    client.force_login(other)
    assert link not in client.get(address).content.decode()


def test_the_story_tells_guesses_refusals_and_the_staff(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    right = outbox[0].code
    for _ in range(2):
        with pytest.raises(WrongCode):
            verifications.check(verification.id, f"{(int(right) + 1) % 10000:04}")
    with pytest.raises(RateLimited):
        verifications.resend(verification.id)
    call = verification.calls.get()
    client = logged_in("cancel_verification", "view_full_phone")
    do = reverse("admin:django_voicepassword_callrequest_do", args=[call.pk, "cancel"])
    answer = client.post(f"{do}?back=customer", follow=True)
    assert answer.redirect_chain == [(f"{CUSTOMERS}?call={call.pk}", 302)]
    assert "That code is no longer valid." in answer.content.decode()
    refused, asked = story(answer)
    assert refused == ("nothing was sent: wait before the code is sent again", [])
    assert asked[0] == "asked for a code: login canceled"
    assert sorted(asked[1]) == [
        "customer: typed 2 wrong codes",
        "flash call placed",
        "support: Canceled the verification.",
        "this site: canceled: the code is no longer valid",
    ]


def test_the_story_tells_that_a_number_changed_hands(anna: User) -> None:
    boris = get_user_model().objects.create_user("boris")
    Verification.objects.update(created_at=timezone.now() - timedelta(days=9))
    approve(create_attempt(age=60), boris)
    VerifiedPhone.objects.update(user=boris)
    approve(create_attempt("79997770000", age=30), boris)
    notes = [card.note for card in find(logged_in(), "boris").context["cards"]]
    assert notes == [
        "boris proved another number: +7 *** ***-**-00.",
        "The number became that of boris.",
        "",
    ]
    # The old holder's story keeps the login with the number that is another's now.
    assert len(find(logged_in_again(), "anna77").context["cards"]) == 1


@pytest.mark.parametrize("at_once", [1, 3])
def test_every_attempt_is_on_one_page_of_the_story(at_once: int) -> None:
    """Of attempts at the same moment none is left out where a page ends."""
    began = timezone.now()
    Verification.objects.bulk_create(
        Verification(
            phone=PHONE,
            created_at=began - timedelta(minutes=number // at_once),
            expires_at=began + timedelta(minutes=5),
        )
        for number in range(2 * PAGE + 5)
    )
    RefusedAttempt.objects.create(
        phone=PHONE, address="", reason="ip", last_at=began + timedelta(minutes=1)
    )
    address = f"{CUSTOMERS}?refused={RefusedAttempt.objects.get().pk}"
    client, seen, pages = logged_in(), 0, 0
    while address:
        answer = client.get(address)
        seen += len(answer.context["cards"])
        pages += 1
        address = answer.context["older"]
        assert PHONE not in address
    assert (seen, pages) == (2 * PAGE + 6, 3)
    assert 'id="vp-say"' not in answer.content.decode()


@pytest.mark.parametrize(
    "before", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-31T00:00Z", "x"]
)
def test_an_address_with_a_moment_that_is_none_shows_the_newest(anna: User, before: str) -> None:
    answer = logged_in().get(CUSTOMERS, {"user": str(anna.pk), "before": before})
    assert 'id="vp-say"' in answer.content.decode()


def test_thousands_of_rows_cost_no_more_queries(anna: User, django_assert_num_queries: Any) -> None:
    client = logged_in("unblock_phone", "send_sms", "send_voice", "view_user")
    for _ in range(2):
        began = timezone.now() - timedelta(minutes=1)
        made = Verification.objects.bulk_create(
            Verification(phone=PHONE, created_at=began, expires_at=began + timedelta(minutes=5))
            for _ in range(500)
        )
        CallRequest.objects.bulk_create(
            CallRequest(verification=one, phone=PHONE, channel="voice", state="refused")
            for one in made
        )
        RefusedAttempt.objects.bulk_create(
            RefusedAttempt(
                phone=PHONE, address=f"10.0.0.{number}", reason=str(began), last_at=began
            )
            for number in range(200)
        )
        # Session, user, two of permissions; the customer and the numbers; the attempts: those with
        # the number, calls alone, those with other numbers, refused ones, and the calls; what the
        # staff did; the limits, the account, two prices and the currency; numbers and devices of
        # the head; two of the notices.
        client.get(f"{CUSTOMERS}?user={anna.pk}")
        with django_assert_num_queries(21):
            client.get(f"{CUSTOMERS}?user={anna.pk}")


def test_the_page_looks_again_without_a_whole_number_or_a_line_in_the_log(
    anna: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    client = logged_in("view_full_phone")
    call = create_attempt().calls.get()
    page = client.get(f"{CUSTOMERS}?call={call.pk}").content.decode()
    assert "+7 999 123-45-67" in page
    assert 'data-vp-again="3"' in page
    assert [line for line in caplog.messages if "saw 1 whole numbers: customer" in line]
    caplog.clear()
    part = client.get(f"{CUSTOMERS}?call={call.pk}&part=live").content.decode()
    assert "<html" not in part
    assert "123-45-67" not in part
    assert "We called you at" in part
    assert caplog.messages == []
    verifications.cancel(str(call.verification_id))
    part = client.get(f"{CUSTOMERS}?call={call.pk}&part=live").content.decode()
    assert 'data-vp-again="10"' in part


def test_a_number_without_a_call_is_unblocked_from_its_page(
    configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configure(LIMITS={"phone": ["1/d"]})
    caplog.set_level(logging.INFO, "django_voicepassword.audit")
    limits.reserve(limits.make_uses({"phone": PHONE}), timezone.now()).commit()
    RefusedAttempt.objects.create(phone=PHONE, address="192.0.2.1", reason="phone")
    client = logged_in("unblock_phone")
    answer = find(client, "4567")
    (action,) = answer.context["actions"]
    assert (action.label, action.is_main) == ("Unblock the number", True)
    assert client.get(action.address).status_code == 302
    assert limits.usage(PHONE)
    answer = client.post(action.address, follow=True)
    assert "Unblocked the number" in answer.content.decode()
    assert limits.usage(PHONE) == []
    assert caplog.messages[-1].endswith("unblocked the sends and guesses of +7 *** ***-**-67")
    assert LogEntry.objects.get().object_repr == "+7 *** ***-**-67"
    assert logged_in_again().post(action.address).status_code == 403


def test_while_a_resend_must_wait_the_page_says_how_long(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    call = verification.calls.get()
    CallRequest.objects.update(state="failed")
    client = logged_in("send_voice", "send_sms")
    actions = client.get(f"{CUSTOMERS}?call={call.pk}").context["actions"]
    assert [action.label for action in actions] == [
        "Let a robot call and say the code, about 0.35\N{NO-BREAK SPACE}₽",
        "Send the code by SMS, about 3.30\N{NO-BREAK SPACE}₽",
    ]
    assert all(re.fullmatch("in (1 minute|5[0-9] seconds)", one.obstacle) for one in actions)
    # Pressed on an older page all the same: it says when, and the customer is not blamed.
    answer = client.post(actions[0].address, follow=True)
    assert re.search(r"Let a robot call and say the code: in (1 minute|5\d s)", strip(answer))
    assert len(outbox) == 1
    assert not RefusedAttempt.objects.exists()
    Verification.objects.update(last_sent_at=timezone.now() - timedelta(seconds=61))
    actions = client.get(f"{CUSTOMERS}?call={call.pk}").context["actions"]
    assert [(one.obstacle, one.is_main) for one in actions] == [("", True), ("", False)]
    client.post(actions[0].address)
    assert [sent.channel for sent in outbox] == ["flashcall", "voice"]


def strip(answer: Any) -> str:
    return strip_tags(answer.content.decode())


def test_a_number_at_its_limit_is_unblocked_first(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": ["1/d"], "ip": []}, RESEND_AFTER=0)
    call = verifications.start(PHONE).calls.get()
    client = logged_in("send_voice", "unblock_phone")
    actions = client.get(f"{CUSTOMERS}?call={call.pk}").context["actions"]
    assert [(one.obstacle, one.is_main) for one in actions] == [
        ("The number was called too often: unblock it first.", False),
        ("", True),
    ]
    client.post(actions[1].address)
    (voice, unblock) = client.get(f"{CUSTOMERS}?call={call.pk}").context["actions"]
    assert (voice.obstacle, voice.is_main) == ("", True)
    assert unblock.obstacle == "No limit of this number is used."


def said_of_refusal(reason: str) -> str:
    now = timezone.now()
    refusal = RefusedAttempt(phone=PHONE, reason=reason, last_at=now)
    return sentence(Attempt(now, PHONE, refusal=refusal))


def said_of_call(state: str, channel: str, code: str = "") -> str:
    now = timezone.now()
    verification = Verification(phone=PHONE, expires_at=now + timedelta(minutes=5))
    call = CallRequest(phone=PHONE, state=state, channel=channel, error_code=code)
    return sentence(Attempt(now, PHONE, verification, (call,)))


def test_every_reason_has_a_sentence_of_its_own() -> None:
    fallback = said_of_refusal("the project's own")
    assert "The site cannot call anybody right now" in fallback
    assert {reason for reason in REASONS if said_of_refusal(reason) == fallback} == {
        "budget_exhausted",
        "unavailable",
        "idempotency_conflict",
        "invalid_idempotency_key",
    }


@pytest.mark.parametrize("channel", CallRequest.Channel)
def test_every_state_has_a_sentence(channel: str) -> None:
    said = {state: said_of_call(state, channel) for state in CallRequest.State}
    assert all(text and "%(" not in text for text in said.values())
    expected = {
        "flashcall": "last 4 digits of the number that calls",
        "voice": "nobody answered",
        "sms": "The SMS with the code is on its way",
    }
    assert expected[channel] in said[CallRequest.State.NO_ANSWER]


def test_an_error_of_the_number_is_told_and_any_other_is_ours() -> None:
    assert "cannot be called" in said_of_call("refused", "voice", "NUMBER_NOT_VALID")
    assert "on our side" in said_of_call("refused", "voice", "unreachable")
    assert sentence(None).startswith("Nobody has asked for a code")


def test_the_time_of_another_day_has_its_date(anna: User) -> None:
    moment = datetime(2026, 3, 10, 12, tzinfo=timezone.get_default_timezone())
    Verification.objects.update(created_at=moment, approved_at=moment)
    said = find(logged_in(), "4567").context["say"]
    assert said == "Your code was right: you logged in at 03/10/2026 12:00."


def test_searching_leaves_no_counter_but_that_of_whole_numbers(anna: User) -> None:
    client = logged_in()
    for text in ("4567", "anna77", "anna@example.org"):
        find(client, text)
    assert not LimitCounter.objects.exists()
    find(client, PHONE)
    assert LimitCounter.objects.count() == 1


def test_the_page_leads_to_releasing_exporting_and_erasing(anna: User) -> None:
    proof = VerifiedPhone.objects.get()
    client = logged_in("release_phone", "erase_person")
    page = find(client, "4567").content.decode()
    assert "Release the number…" in page
    assert "Erase all data…" in page
    assert "Export all data…" not in page
    answer = client.post(
        "/admin/django_voicepassword/verifiedphone/",
        {"action": "release_numbers", "_selected_action": str(proof.pk)},
    )
    assert "whoever proves one next gets it" in answer.content.decode()
    assert VerifiedPhone.objects.exists()
    assert "Release" not in find(logged_in_again(), "4567").content.decode()


def test_whoever_was_erased_is_nobody() -> None:
    """The calls of all whom somebody erased have the same zeros."""
    call = create_attempt(masking.ERASED).calls.get()
    client = logged_in("view_full_phone")
    for text in (masking.ERASED, "0000", str(call.provider_id)):
        assert "Nobody was found." in find(client, text).content.decode()
    assert story(client.get(f"{CUSTOMERS}?call={call.pk}")) == []


def test_every_error_has_a_name_in_words() -> None:
    assert {code for code in ERRORS if error_name(code) == code} == set()
    assert error_name("never heard of") == "never heard of"
