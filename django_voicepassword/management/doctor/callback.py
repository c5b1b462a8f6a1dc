"""The address for callbacks, asked as the provider would ask it, from this machine."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import requests
from django.utils import timezone
from django.utils.translation import gettext as _
from urllib3.exceptions import NameResolutionError

from django_voicepassword.calls import placing
from django_voicepassword.conf import settings
from django_voicepassword.management.doctor.deadlines import PATIENCE, within
from django_voicepassword.management.doctor.findings import (
    Finding,
    fault,
    fine,
    skipped,
    warning,
)
from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider import factory, http_session
from django_voicepassword.provider.client import is_loopback

#: No call has this primary key, so a report about it changes nothing. Our view takes it with the
#: answer of any good report, if its token is signed with our SECRET_KEY.
NO_CALL = 0
_REPORT = {"id": "voicepassword_doctor", "state": "ANSWERED"}
_TIMEOUT = (3.05, 6.0)
#: How many of the newest calls that the provider took are looked at for their callbacks.
NEWEST = 20
#: Fewer calls prove nothing.
FEWEST = 3


def callback() -> Iterator[Finding]:
    """Does our view answer at CALLBACK_BASE_URL, and do callbacks of the provider arrive?"""
    name = _("callback")
    base = settings.CALLBACK_BASE_URL
    if factory.is_pretended():
        yield skipped(name, _("Nobody is called, so nobody reports a call."))
        return
    if not base:
        yield skipped(name, _("CALLBACK_BASE_URL is not set: the states of calls are polled."))
        return
    address = placing.callback_url(NO_CALL)
    if address is None:
        yield fault(
            name,
            _("No URL pattern leads to the view of callbacks."),
            _("Include django_voicepassword.urls."),
        )
        return
    yield _ask(name, address)
    yield from _evidence(urlsplit(base).hostname or "")


def _ask(name: str, address: str) -> Finding:
    try:
        response = within(PATIENCE, lambda: _post(address))
    except TimeoutError:
        return _unreachable(name, _("The address does not answer in time."))
    except requests.RequestException as error:
        return _unreachable(name, _why(error))
    return _judge(name, response)


def _post(address: str) -> requests.Response:
    """Report a state of no call, as the provider reports one. No proxy, no redirect."""
    with http_session.make_session() as session:
        return session.post(address, json=_REPORT, timeout=_TIMEOUT, allow_redirects=False)


def _unreachable(name: str, text: str) -> Finding:
    return fault(
        name,
        text,
        _(
            "Correct CALLBACK_BASE_URL, the DNS record, the certificate or the web server. If "
            "only this machine cannot reach its own public address, callbacks may arrive all the "
            "same: see the next line."
        ),
    )


def _why(error: requests.RequestException) -> str:
    reasons = _causes(error)
    certificate = next(
        (cause for cause in reasons if isinstance(cause, ssl.SSLCertVerificationError)), None
    )
    if certificate is not None:
        return _("Its certificate is refused: %(reason)s.") % {"reason": certificate.verify_message}
    if any(isinstance(cause, NameResolutionError) for cause in reasons):
        return _("Its host name cannot be resolved.")
    if isinstance(error, requests.exceptions.SSLError):
        return _("No TLS connection comes about.")
    if isinstance(error, requests.exceptions.Timeout):
        return _("The address does not answer in time.")
    return _("The connection is refused or breaks.")


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and what it came from: requests and urllib3 keep it in several places."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            waiting += [*cause.args, cause.__cause__, cause.__context__]
            waiting.append(getattr(cause, "reason", None))
    return found


def _evidence(host: str) -> Iterator[Finding]:
    """Did callbacks come for the newest calls? Only that proves that the provider gets here."""
    name = _("callbacks received")
    is_sandbox = is_loopback(urlsplit(settings.API_URL).hostname or "")
    if is_loopback(host) and not is_sandbox:
        yield fault(
            name,
            _("CALLBACK_BASE_URL is an address of this machine: the provider cannot reach it."),
            _("Set it to the public address of the site."),
        )
        return
    placed = _newest_placed()
    if len(placed) < FEWEST:
        yield skipped(name, _("The last day has too few calls to tell by."))
        return
    reports = CallStatus.objects.filter(call__in=placed, source=CallStatus.Source.CALLBACK)
    reported = reports.values("call").distinct().count()
    if reported:
        text = _("The provider reported %(reported)d of the newest %(placed)d calls.")
        yield fine(name, text % {"reported": reported, "placed": len(placed)})
    else:
        yield warning(
            name,
            _("None came for the newest %(placed)d calls.") % {"placed": len(placed)},
            _(
                "Let the provider through the firewall and CALLBACK_ALLOWED_IPS; ask it for the "
                "addresses it reports from. Until then the states are polled."
            ),
        )


def _newest_placed() -> list[int]:
    """Return calls of the last day that the provider took, and has had the time to report."""
    now = timezone.now()
    calls = CallRequest.objects.filter(
        origin=CallRequest.Origin.APP,
        created_at__gt=now - timedelta(days=1),
        placed_at__lt=now - timedelta(minutes=2),
    ).exclude(provider_id="")
    return list(calls.order_by("-created_at").values_list("pk", flat=True)[:NEWEST])


def _judge(name: str, response: requests.Response) -> Finding:
    status = response.status_code
    if status == 200 and _json(response) == {"result": "ok"}:
        return fine(
            name,
            _(
                "Our view answers. It was asked from this machine: only a callback of the provider "
                "proves that the provider reaches it."
            ),
        )
    is_json = _json(response) is not None
    if status == 404 and is_json and settings.CALLBACK_ALLOWED_IPS:
        text = _(
            "Callbacks are taken from CALLBACK_ALLOWED_IPS alone, so they cannot be tried from "
            "this machine."
        )
        return skipped(name, text)
    text, advice = _refusal(status, is_json)
    return fault(name, text % {"status": status}, advice)


def _refusal(status: int, is_json: bool) -> tuple[str, str]:
    """What an answer other than that of our view to a good report means, and what to do."""
    if 300 <= status < 400:
        return (
            _("It answers with a redirect (%(status)d), which the provider need not follow."),
            _("Set CALLBACK_BASE_URL to the address that the redirect leads to."),
        )
    if status in (401, 403):
        return (
            _("It asks for a login or refuses (%(status)d)."),
            _("Let the path of callbacks through basic authentication and bot protection."),
        )
    if status == 404 and is_json:
        return (
            _("Our view does not take the token (%(status)d)."),
            _("Give web the same SECRET_KEY as this process."),
        )
    if status == 404:
        return (
            _("Nothing is there (%(status)d)."),
            _("Let CALLBACK_BASE_URL name the site that includes django_voicepassword.urls."),
        )
    if status == 400:
        return (
            _("The request is refused as bad (%(status)d)."),
            _("Put the host of CALLBACK_BASE_URL into ALLOWED_HOSTS."),
        )
    if status >= 500:
        return (
            _("The site or the web server before it fails (%(status)d)."),
            _("Look into the log of the site and of the web server."),
        )
    return (
        _("Something other than our view answers (%(status)d)."),
        _("Let CALLBACK_BASE_URL name the site that includes django_voicepassword.urls."),
    )


def _json(response: requests.Response) -> object:
    try:
        return json.loads(response.content)
    except ValueError:
        return None
