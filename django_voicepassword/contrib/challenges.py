"""Challenges of three providers, for CHALLENGE: Turnstile, hCaptcha and Yandex SmartCaptcha.

One of the names below is the value of CHALLENGE, and CHALLENGE_KEYS has the two keys from the
provider's site::

    VOICEPASSWORD = {
        "CHALLENGE": "django_voicepassword.contrib.challenges.turnstile",
        "CHALLENGE_KEYS": {"site": "…", "secret": "…"},
    }

All three work alike. The widget gives the browser a token, and the site asks the provider once
whether the token is good ("siteverify").
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

import requests
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from django_voicepassword.conf import settings
from django_voicepassword.limits import client_ip
from django_voicepassword.provider import http_session
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.security.tracebacks import Secret
from django_voicepassword.verifications.challenge import ATTRIBUTE, Provider

#: Seconds to wait for a connection and for each read.
TIMEOUT = (3.05, 5.0)
#: Seconds that a whole answer may take.
PATIENCE = 10.0
#: An answer has about 200 bytes.
MOST_BYTES = 16384


class ChallengeFailed(Exception):
    """The provider of the challenge gave no answer. The message contains no secret."""


@dataclass(frozen=True)
class Siteverify:
    """Asks one provider whether a request has solved its challenge: ``turnstile(request)``.

    ``token``, ``address`` are the provider's names of the fields that it is sent, beside
    ``secret``. ``success`` is the field of its answer, and the value, that say "solved".
    """

    provider: Provider
    url: str
    token: str
    address: str
    success: tuple[str, object]

    @sensitive
    def __call__(self, request: HttpRequest) -> bool:
        """Return whether the challenge was solved; without a token nobody is asked.

        Raises ChallengeFailed where the provider cannot be asked, and ImproperlyConfigured
        without a secret key.
        """
        token = getattr(request, ATTRIBUTE, "")
        if not token:
            return False
        fields = {"secret": _secret(), self.token: Secret(token)}
        address = client_ip.client_address(request)
        if address is not None:
            fields[self.address] = Secret(address)
        name, value = self.success
        answered = _post(self.url, fields).get(name)
        # 1 == True, so the types are compared as well.
        return type(answered) is type(value) and answered == value


def _secret() -> str:
    secret = settings.CHALLENGE_KEYS.get("secret", "")
    if not secret:
        raise ImproperlyConfigured(
            'VOICEPASSWORD["CHALLENGE_KEYS"] has no "secret": copy it from the provider of the '
            "challenge"
        )
    return Secret(secret)


def _post(url: str, fields: Mapping[str, str]) -> dict[str, object]:
    """Send a form and return the JSON object of the answer. Raises ChallengeFailed."""
    try:
        with (
            http_session.make_session() as session,
            session.post(
                url, data=fields, timeout=TIMEOUT, allow_redirects=False, stream=True
            ) as response,
        ):
            body = _read(response)
            status = response.status_code
    except requests.RequestException as error:
        # ``from None``: the exception holds the request, and so the secret.
        raise ChallengeFailed(f"no answer: {type(error).__name__}") from None
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    # Some answer an error of the token with 400 and an object.
    if status >= 500 or not isinstance(answer, dict):
        raise ChallengeFailed(f"no readable answer: HTTP {status}")
    return answer


def _read(response: requests.Response) -> bytes:
    """Return the body, within limits of size and time. Raises ChallengeFailed."""
    ends = time.monotonic() + PATIENCE
    body = b""
    for chunk in response.iter_content(1024):
        body += chunk
        if len(body) > MOST_BYTES or time.monotonic() > ends:
            raise ChallengeFailed("the answer does not end")
    return body


turnstile = Siteverify(
    Provider(
        name="turnstile",
        script="https://challenges.cloudflare.com/turnstile/v0/api.js",
        css_class="cf-turnstile",
        field="cf-turnstile-response",
        origins=("https://challenges.cloudflare.com",),
    ),
    url="https://challenges.cloudflare.com/turnstile/v0/siteverify",
    token="response",  # noqa: S106  # nosec B106  # the name of a field
    address="remoteip",
    success=("success", True),
)
hcaptcha = Siteverify(
    Provider(
        name="hcaptcha",
        script="https://js.hcaptcha.com/1/api.js",
        css_class="h-captcha",
        field="h-captcha-response",
        origins=("https://hcaptcha.com", "https://*.hcaptcha.com"),
    ),
    url="https://api.hcaptcha.com/siteverify",
    token="response",  # noqa: S106  # nosec B106  # the name of a field
    address="remoteip",
    success=("success", True),
)
smartcaptcha = Siteverify(
    Provider(
        name="smartcaptcha",
        script="https://smartcaptcha.yandexcloud.net/captcha.js",
        css_class="smart-captcha",
        field="smart-token",
        origins=("https://smartcaptcha.yandexcloud.net",),
    ),
    url="https://smartcaptcha.yandexcloud.net/validate",
    token="token",  # noqa: S106  # nosec B106  # the name of a field
    address="ip",
    success=("status", "ok"),
)
