"""The authentication backend: finding and creating the user of a number."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, aget_user, authenticate, get_user_model
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest
from django.test import AsyncClient, Client, RequestFactory

from django_voicepassword import signals, verifications
from django_voicepassword.accounts import login, new_users, users
from django_voicepassword.backends import PhoneBackend
from django_voicepassword.exceptions import Refused
from django_voicepassword.models import Verification, VerifiedPhone
from django_voicepassword.testing import Sent
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db
PHONE = "79990000001"
User = get_user_model()


def log_in(
    outbox: list[Sent], phone: str = PHONE, request: HttpRequest | None = None, **options: Any
) -> Any:
    verification = verifications.start(phone, **options)
    return authenticate(request, verification=verification.id, voicepassword_code=outbox[-1].code)


def test_a_first_login_creates_a_user_and_later_ones_find_it(outbox: list[Sent]) -> None:
    user = log_in(outbox)
    assert (user.is_active, user.is_staff, user.has_usable_password()) == (True, False, False)
    assert PHONE not in user.get_username()
    assert log_in(outbox) == user
    assert VerifiedPhone.objects.get().user == user
    assert Verification.objects.filter(user=user, status="approved").count() == 2


def test_the_user_of_a_verified_phone_is_found(outbox: list[Sent]) -> None:
    user = User.objects.create(username="someone")
    users.assign(user, PHONE)
    assert log_in(outbox, "8 (999) 000-00-01") == user


def test_a_number_moves_to_its_new_user(outbox: list[Sent]) -> None:
    old, new = (User.objects.create(username=name) for name in ("old", "new"))
    users.assign(old, PHONE)
    users.assign(new, PHONE)
    assert log_in(outbox) == new
    assert list(VerifiedPhone.objects.values_list("user__username", flat=True)) == ["new"]


def test_a_logged_in_user_may_verify_a_number(outbox: list[Sent]) -> None:
    user = User.objects.create(username="someone")
    verification = verifications.start(PHONE, purpose="change-phone", user=user)
    approved = verifications.check(verification.id, outbox[-1].code, purpose="change-phone")
    assert approved.user == user
    assert not VerifiedPhone.objects.exists()


@pytest.mark.parametrize("is_known", [True, False])
def test_without_an_active_user_the_login_is_refused(
    outbox: list[Sent], configure: Callable[..., None], is_known: bool
) -> None:
    configure(CREATE_USERS=False)
    if is_known:
        users.assign(User.objects.create(username="someone", is_active=False), PHONE)
    request = RequestFactory().post("/")
    assert log_in(outbox, request=request) is None
    assert isinstance(request.voicepassword_result.error, Refused)  # type: ignore[attr-defined]
    # The code was right and cannot be used again.
    assert Verification.objects.get().status == "approved"


def test_the_backend_needs_no_request_and_ignores_other_credentials(outbox: list[Sent]) -> None:
    backend = PhoneBackend()
    assert backend.authenticate(None) is None
    assert backend.authenticate(None, username="someone", password="secret") is None
    assert backend.authenticate(None, verification="no id", voicepassword_code="1234") is None


def test_in_an_event_loop_a_guess_is_counted_and_the_right_code_logs_in(
    outbox: list[Sent],
) -> None:
    verification = verifications.start(PHONE)
    code = outbox[-1].code

    async def guess(code: str) -> Any:
        return await aauthenticate(None, verification=str(verification.id), voicepassword_code=code)

    assert async_to_sync(guess)(f"{(int(code) + 1) % 10000:04}") is None
    verification.refresh_from_db()
    assert (verification.attempts, verification.status) == (1, "pending")
    user = async_to_sync(guess)(code)
    verification.refresh_from_db()
    assert (verification.user, verification.status) == (user, "approved")


@pytest.mark.parametrize("is_active", [True, False])
def test_in_an_event_loop_the_user_of_a_session_is_found(is_active: bool) -> None:
    user = User.objects.create(username="someone", is_active=is_active)
    client = AsyncClient()
    async_to_sync(client.aforce_login)(user, "django_voicepassword.backends.PhoneBackend")
    request = RequestFactory().get("/")
    request.session = async_to_sync(client.asession)()
    assert async_to_sync(aget_user)(request).is_authenticated is is_active


@pytest.fixture
def failed_logins() -> Iterator[list[dict[str, Any]]]:
    """The credentials that a receiver of ``user_login_failed`` gets."""
    received = []

    def receive(credentials: dict[str, Any], **kwargs: Any) -> None:
        received.append(dict(credentials))

    user_login_failed.connect(receive)
    yield received
    user_login_failed.disconnect(receive)


@pytest.mark.parametrize("entry", ["authenticate", "aauthenticate", "page", "api"])
def test_the_signal_of_a_failed_login_carries_no_secret(
    outbox: list[Sent], failed_logins: list[dict[str, Any]], entry: str
) -> None:
    client = Client()
    if entry == "page":
        client.post("/auth/login/", {"phone": PHONE})
        verification = Verification.objects.get()
    else:
        verification = verifications.start(PHONE)
    wrong = f"{(int(outbox[-1].code) + 1) % 10000:04}"
    credentials = {"verification": str(verification.id), "voicepassword_code": wrong}
    if entry == "authenticate":
        assert authenticate(None, **credentials) is None
    elif entry == "aauthenticate":
        assert async_to_sync(aauthenticate)(None, **credentials) is None
    elif entry == "page":
        assert client.post("/auth/login/code/", {"code": wrong}).status_code == 400
    else:
        body = {"verification": str(verification.id), "code": wrong}
        assert client.post("/api/login/", body, "application/json").status_code == 400
    (received,) = failed_logins
    # The four digits may well stand in the beginning of a random id.
    assert received.pop("verification") == str(verification.id)[:8]
    assert wrong not in str(received)


def test_a_verification_of_another_backend_is_left_alone(
    failed_logins: list[dict[str, Any]],
) -> None:
    authenticate(None, verification="a-token-of-another-app", password="secret")
    assert failed_logins[0]["verification"] == "a-token-of-another-app"


def test_a_verification_for_another_purpose_logs_nobody_in(outbox: list[Sent]) -> None:
    assert log_in(outbox, purpose="order") is None
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("field", [None, "last_name"])
def test_two_right_guesses_at_once_create_one_user_and_one_login(
    outbox: list[Sent], configure: Callable[..., None], field: str | None
) -> None:
    configure(USER_PHONE_FIELD=field)
    ids = [verifications.start(PHONE).id for _ in range(2)]
    codes = {sent.verification: sent.code for sent in outbox}

    def log_in_with(id: Any) -> Callable[[], object]:
        return lambda: authenticate(None, verification=id, voicepassword_code=codes[id])

    tried = [ids[number % 2] for number in range(6)]
    users_or_errors = run_at_once([log_in_with(id) for id in tried])
    assert not [result for result in users_or_errors if isinstance(result, Exception)]
    got = list(zip(tried, users_or_errors, strict=True))
    logged_in = [id for id, user in got if user is not None]
    assert sorted(logged_in, key=str) == sorted(ids, key=str)
    assert User.objects.count() == 1
    assert VerifiedPhone.objects.count() == 1


class CustomBackend(PhoneBackend):
    def create_user(self, phone: str) -> Any:
        return User.objects.create(username=f"customer-{phone[-2:]}", email="customer@example.org")


class RepeatingBackend(PhoneBackend):
    """The error of the database repeats the name, which is the number here."""

    def create_user(self, phone: str) -> Any:
        User.objects.create(username=f"+{phone}")
        return User.objects.create(username=f"+{phone}")


def test_the_log_says_why_a_user_cannot_be_created_and_not_whose_number_it_is(
    outbox: list[Sent], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.RepeatingBackend"]
    assert log_in(outbox) is None
    assert Verification.objects.get().status == "approved"
    assert not User.objects.exists()
    assert "IntegrityError" in caplog.text
    assert "create_user" in caplog.text
    assert "9990000001" not in caplog.text


class RefusingBackend(PhoneBackend):
    def create_user(self, phone: str) -> Any:
        return None


def test_a_project_overrides_create_user(outbox: list[Sent], settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.CustomBackend"]
    assert log_in(outbox).email == "customer@example.org"
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.RefusingBackend"]
    assert log_in(outbox, "79990000002") is None


@pytest.mark.parametrize("spelling", ["79990000001", "+79990000001"])
def test_user_phone_field_is_read_with_and_without_a_plus(
    outbox: list[Sent], configure: Callable[..., None], spelling: str
) -> None:
    configure(USER_PHONE_FIELD="last_name", USER_PHONE_TRUSTED=True)
    user = User.objects.create(username="someone", last_name=spelling)
    assert log_in(outbox) == user
    made = log_in(outbox, "79990000002")
    assert made.last_name == spelling.replace(PHONE, "79990000002")
    assert set(VerifiedPhone.objects.values_list("user", "phone")) == {
        (user.pk, PHONE),
        (made.pk, "79990000002"),
    }


def test_a_number_of_several_users_logs_nobody_in(
    outbox: list[Sent], configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configure(USER_PHONE_FIELD="last_name", USER_PHONE_TRUSTED=True)
    for name in ("one", "two"):
        User.objects.create(username=name, last_name=PHONE)
    assert log_in(outbox) is None
    assert "several users" in caplog.text
    assert PHONE not in caplog.text


def test_the_number_may_be_the_user_name(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(USER_PHONE_FIELD="username")
    assert log_in(outbox).get_username() == PHONE


class DenyingBackend:
    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Any:
        raise PermissionDenied


def test_a_denial_by_an_earlier_backend_is_refused(outbox: list[Sent], settings: Any) -> None:
    verification = verifications.start(PHONE)
    settings.AUTHENTICATION_BACKENDS = [
        f"{__name__}.DenyingBackend",
        *settings.AUTHENTICATION_BACKENDS,
    ]
    with pytest.raises(Refused):
        login.authenticate_phone(RequestFactory().post("/"), verification.id, outbox[-1].code)
    assert Verification.objects.get().attempts == 0


def test_a_missing_backend_is_reported(outbox: list[Sent], settings: Any) -> None:
    verification = verifications.start(PHONE)
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    with pytest.raises(ImproperlyConfigured, match="PhoneBackend"):
        login.authenticate_phone(RequestFactory().post("/"), verification.id, outbox[-1].code)


@pytest.mark.django_db(transaction=True)
def test_phone_verified_is_sent_once_with_the_user(outbox: list[Sent]) -> None:
    received = []

    def receive(verification: Verification, user: Any, **kwargs: Any) -> None:
        received.append((verification.status, user))

    signals.phone_verified.connect(receive)
    try:
        user = log_in(outbox)
    finally:
        signals.phone_verified.disconnect(receive)
    assert received == [("approved", user)]


def test_an_invented_name_never_looks_like_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The staff would see it masked: ``user_***89``."""
    invented = iter(["a1234567890b", "a123456789bc"])
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(invented))
    assert new_users.make("79991234567").get_username() == "user_a123456789bc"


_RECEIVER_BEFORE_THE_APP = """
import django
from django.conf import settings
from django.contrib.auth.signals import user_login_failed

def receive(credentials, **kwargs):
    print(credentials["verification"])

user_login_failed.connect(receive)
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_voicepassword"]
)
django.setup()
credentials = {"verification": "7c9e6679-7425-4012-8567-900123456789", "voicepassword_code": "*"}
user_login_failed.send(None, credentials=credentials, request=None)
"""


@pytest.mark.processes
def test_a_receiver_that_was_connected_before_the_app_gets_no_secret_either() -> None:
    """As one in ``settings`` or in the ``apps.py`` of an app that is installed above."""
    command = [sys.executable, "-c", _RECEIVER_BEFORE_THE_APP]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "7c9e6679\n"
