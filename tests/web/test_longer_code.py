"""The code page while a short code takes no guesses, and a longer one is to be had at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth import SESSION_KEY as USER_KEY

from django_voicepassword.models import FraudTrip, Verification
from django_voicepassword.testing import outbox
from tests.web.page_client import PageClient
from tests.web.test_challenge import RIGHT, SENTENCE

BUTTON = "Call me with a longer code"
NOT_ACCEPTED = (
    "To keep strangers out, this code is not accepted now. Ask for a new call: its code is longer."
)


@pytest.fixture
def refused(on_code_page: PageClient) -> PageClient:
    """On the code page, with a code that is not compared: wrong guesses have tripped the site."""
    FraudTrip.objects.create(
        kind=FraudTrip.Kind.SITE,
        cause=FraudTrip.Cause.GUESSES,
        mode=FraudTrip.Mode.ENFORCE,
        active_key="site:guesses:",
        failures=50,
        threshold=50,
    )
    on_code_page.press("Log in", code=outbox[-1].code)
    return on_code_page


def test_a_longer_code_is_offered_at_once_and_logs_in(refused: PageClient) -> None:
    assert refused.status == 429
    assert refused.page.alerts == [NOT_ACCEPTED]
    # A robot cannot say it, and no SMS repeats it.
    assert refused.page.buttons == ["Change the number", "Log in", BUTTON]
    page = refused.press(BUTTON)
    assert refused.path.startswith("/auth/login/code/")
    assert "the last 6 digits" in page.text
    assert [(sent.channel, len(sent.code)) for sent in outbox] == [
        ("flashcall", 4),
        ("flashcall", 6),
    ]
    refused.press("Log in", code=outbox[-1].code)
    assert USER_KEY in refused.session


def test_the_offer_outlives_the_challenge_before_it(
    refused: PageClient, configure: Callable[..., None]
) -> None:
    configure(CHALLENGE="tests.web.test_challenge.is_human")
    page = refused.press(BUTTON)
    assert (refused.status, page.alerts) == (403, [SENTENCE])
    assert BUTTON in page.buttons
    form, _ = page.form_of(BUTTON)
    form.fields["challenge"] = RIGHT
    refused.press(BUTTON)
    assert len(outbox[-1].code) == 6


def test_no_longer_code_is_offered_where_no_send_is_left(
    refused: PageClient, configure: Callable[..., None]
) -> None:
    # The last send is made in another tab.
    configure(MAX_SENDS=1)
    page = refused.press(BUTTON)
    assert refused.status == 429
    assert BUTTON not in page.buttons
    assert "This code cannot be sent again." in page.text
    assert len(outbox) == 1


def test_a_number_whose_guesses_are_used_up_gets_a_longer_code(
    on_code_page: PageClient, configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone_guesses": ["0/d"]})
    page = on_code_page.press("Log in", code=outbox[-1].code)
    assert "Ask for a new call: its code is longer, and it will be accepted." in page.alerts[0]
    on_code_page.press(BUTTON)
    on_code_page.press("Log in", code=outbox[-1].code)
    assert USER_KEY in on_code_page.session
    assert Verification.objects.get().is_long
