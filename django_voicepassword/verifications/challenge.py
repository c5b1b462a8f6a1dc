"""The challenge of a request, for example a captcha: who asks for it, and whether it was solved.

CHALLENGE is the dotted path of ``callable(request) -> bool``. It finds what the person's browser
or program sent on ``request.voicepassword_challenge``: the pages and the API put it there with
``attach``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string

from django_voicepassword.conf import settings
from django_voicepassword.security.tracebacks import clear_frames

logger = logging.getLogger(__name__)

#: The attribute of a request that has the answer to the challenge, as CHALLENGE reads it.
ATTRIBUTE = "voicepassword_challenge"
#: The attribute that keeps the result, because an answer can be verified only once.
_RESULT = "_voicepassword_challenge_solved"
#: The longest answer that is passed on. Those of the known providers have about 2,000 characters.
MOST_CHARACTERS = 8192


@dataclass(frozen=True)
class Provider:
    """A provider of challenges, and what a page needs to show its widget.

    A function that CHALLENGE names may have one as its attribute ``provider``.
    """

    #: A stable word, for programs.
    name: str
    #: The address of the script that turns the element into the widget.
    script: str
    #: The class of the element; the site key is its attribute ``data-sitekey``.
    css_class: str
    #: The field that the widget adds to the form around it.
    field: str
    #: The origins that a Content-Security-Policy must allow, for ``script-src``, ``frame-src``,
    #: ``style-src`` and ``connect-src``.
    origins: tuple[str, ...]


@dataclass(frozen=True)
class Widget:
    """What a page or a program needs to have a challenge solved.

    ``provider`` is None where CHALLENGE is a function of the project's own that names none.
    """

    provider: Provider | None
    site_key: str


def is_on() -> bool:
    """Return whether there is a CHALLENGE."""
    return settings.CHALLENGE is not None


def widget() -> Widget | None:
    """Return what is needed to solve the challenge; None without CHALLENGE."""
    if not is_on():
        return None
    provider = getattr(_verifier(), "provider", None)
    return Widget(
        provider if isinstance(provider, Provider) else None,
        settings.CHALLENGE_KEYS.get("site", ""),
    )


def attach(request: HttpRequest, answer: object) -> None:
    """Put the answer to a challenge on ``request``, where CHALLENGE finds it.

    What cannot be an answer (no text, or a longer one than any provider sends) counts as none.
    """
    text = answer.strip() if isinstance(answer, str) else ""
    setattr(request, ATTRIBUTE, text if len(text) <= MOST_CHARACTERS else "")


def is_solved(request: HttpRequest | None) -> bool:
    """Ask CHALLENGE whether ``request`` solved the challenge, at most once for each request.

    Call it outside a transaction, because it may take seconds. Where it raises an exception, that
    is logged and the challenge counts as not solved: while its provider is down, nobody gets in
    who would have to solve one, and everybody else does. Without a request it is never solved.
    """
    if request is None or not is_on():
        return False
    known = getattr(request, _RESULT, None)
    if known is None:
        if not hasattr(request, ATTRIBUTE):
            attach(request, "")
        known = _ask(request)
        setattr(request, _RESULT, known)
    return bool(known)


def _ask(request: HttpRequest) -> bool:
    verifier = _verifier()
    try:
        return bool(verifier(request))
    except Exception as error:
        # Its frames contain the request, with a phone number, and perhaps a secret.
        clear_frames(error)
        logger.exception("CHALLENGE failed: the challenge counts as not solved")
        return False


def _verifier() -> Callable[[HttpRequest], bool]:
    path = str(settings.CHALLENGE)
    try:
        return cast(Callable[[HttpRequest], bool], import_string(path))
    except ImportError as error:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["CHALLENGE"] cannot be imported: {error}'
        ) from error
