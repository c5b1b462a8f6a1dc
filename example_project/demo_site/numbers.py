"""The numbers that the front page offers to call: the sandbox's magic numbers, in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy

from django_voicepassword.sandbox.magic_numbers import GROUPS, OUTCOMES
from django_voicepassword.sandbox.pages import spelled
from django_voicepassword.sandbox.russian import said_for
from django_voicepassword.security.tracebacks import Secret


@dataclass(frozen=True)
class Offer:
    """A number to call. ``title`` and ``about``: what happens to the call."""

    number: str = field(repr=False)
    title: str | Promise
    about: str | Promise = ""

    @property
    def spelled(self) -> str:
        # No line ends inside the last seven digits. Django logs the variables of templates.
        return Secret(spelled(self.number).replace("-", "\N{NON-BREAKING HYPHEN}"))


#: What to try first: one number for each thing that can become of a call.
FIRST = [
    Offer(
        "79990000001",
        gettext_lazy("An ordinary call"),
        gettext_lazy("The phone rings. The last four digits of the calling number are the code."),
    ),
    Offer(
        "79990000103",
        gettext_lazy("Busy"),
        gettext_lazy("The line is busy. The code works all the same if you see the number."),
    ),
    Offer(
        "79990000105",
        gettext_lazy("A failed call"),
        gettext_lazy("Nothing rings. Ask for an SMS, or let a robot say the code."),
    ),
    Offer(
        "79990000201",
        gettext_lazy("A refused number"),
        gettext_lazy("The provider does not call this number. Nothing is paid."),
    ),
    Offer(
        "79990000205",
        gettext_lazy("No money"),
        gettext_lazy(
            "The account is empty. For up to a minute the login page calls nobody, and the admin"
            " says why. The buttons of this page go on working."
        ),
    ),
    Offer(
        "79990000303",
        gettext_lazy("A lost answer"),
        gettext_lazy(
            "The phone rings, but the provider's answer is lost. The code works, and the phone"
            " does not ring twice."
        ),
    ),
    Offer(
        "79990000404",
        gettext_lazy("A late report"),
        gettext_lazy("The report about the call comes 10 seconds late, and the page follows it."),
    ),
]


def all_groups() -> list[tuple[str, list[Offer]]]:
    """Return every magic number, under the heading of its group, in the words of the sandbox."""
    _, say = said_for(get_language() or "")
    return [
        (
            say(heading),
            [
                Offer(number, _capitalized(say(outcome.about)))
                for number, outcome in OUTCOMES.items()
                if number[-3] == digit
            ],
        )
        for digit, heading in GROUPS.items()
    ]


def _capitalized(text: str) -> str:
    # The codes of errors are in lower case, also where a text begins with one.
    return text[:1].upper() + text[1:]
