"""What a limit means: a sentence for the person whom it stops, and a name for support."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from django_voicepassword.exceptions import RateLimited
from django_voicepassword.limits.rates import parse_rate

#: Limit -> what is used up, and what to do about it. A limit that is not here, such as one of the
#: project, has the text of "".
_TEXTS: dict[str, str] = {
    "phone": gettext_noop(
        "This number has been called too often, perhaps at somebody else's request. Try again in "
        "%(wait)s, or use a device that has logged in with this number before."
    ),
    "device": gettext_noop(
        "This number has been called too often, also at the request of known devices. "
        "Try again in %(wait)s."
    ),
    "phone_guesses": gettext_noop(
        "Too many wrong codes were entered for this number, perhaps by somebody else. Try again in "
        "%(wait)s, or use a device that has logged in with this number before."
    ),
    "device_guesses": gettext_noop(
        "Too many wrong codes were entered for this number on known devices. Try again in %(wait)s."
    ),
    "ip": gettext_noop(
        "Too many calls were asked for from your network, which others may use too. Try again in "
        "%(wait)s, or use another network, such as mobile data."
    ),
    "prefix": gettext_noop(
        "Too many calls were asked for to numbers that begin like this one, perhaps by somebody "
        "else. Try again in %(wait)s, or use a device that has logged in with this number before."
    ),
    "site": gettext_noop(
        "Very many people ask for a call right now. Try again in %(wait)s, or use a device that "
        "has logged in with this number before."
    ),
    "guard": gettext_noop(
        "Somebody misuses our calls, so we make fewer of them for now. Try again in %(wait)s, or "
        "use a device that has logged in with this number before."
    ),
    "sends": gettext_noop(
        "The code cannot be sent again. "
        "Enter the one that you have, or start again to get a new one."
    ),
    "resend_after": gettext_noop(
        "The code may still be on its way. You can ask for it again in %(wait)s."
    ),
    "": gettext_noop("Too many tries. Try again in %(wait)s."),
}
_TEXTS["long_guesses"] = _TEXTS["phone_guesses"]
#: Limit -> the text where a resend at once gets a longer code.
_LONGER_CODE_TEXTS = {
    "phone_guesses": gettext_noop(
        "Too many wrong codes were entered for this number, perhaps by somebody else. Ask for a "
        "new call: its code is longer, and it will be accepted."
    ),
    "": gettext_noop(
        "To keep strangers out, this code is not accepted now. "
        "Ask for a new call: its code is longer."
    ),
}
#: The limits of a number that support can lift.
_OF_NUMBER = ("phone", "device", "phone_guesses", "device_guesses", "long_guesses")
#: The shortest wait, in seconds, that is worth a message to support.
_WORTH_SUPPORT = 3600

#: Limit -> its name for support.
_NAMES = {
    "phone": gettext_noop("calls to the number"),
    "phone_solved": gettext_noop("calls to the number after a solved challenge"),
    "phone_guesses": gettext_noop("wrong codes for the number"),
    "device": gettext_noop("calls to the number for its known devices"),
    "device_guesses": gettext_noop("wrong codes for the number from its known devices"),
    "long_guesses": gettext_noop("wrong long codes for the number"),
    "ip": gettext_noop("calls for the address without a right code"),
    "ip_network": gettext_noop("calls for the network of the address without a right code"),
    "prefix": gettext_noop("calls to the 10,000 numbers around it without a right code"),
    "site": gettext_noop("calls of the whole site without a right code"),
    "guard": gettext_noop("suspected misuse of calls"),
    "sends": gettext_noop("sends of one code"),
    "resend_after": gettext_noop("wait before the code is sent again"),
}


def limit_text(error: RateLimited) -> str:
    """What is used up and what to do next, in the active language."""
    if error.offers_longer_code:
        return _(_LONGER_CODE_TEXTS.get(error.limit, _LONGER_CODE_TEXTS[""]))
    text = _(_TEXTS.get(error.limit, _TEXTS[""])) % {"wait": duration(error.retry_after)}
    if error.limit in _OF_NUMBER and error.retry_after >= _WORTH_SUPPORT:
        support = _("If you cannot wait, write to support.")
        return f"{text} {support}"
    return text


def limit_name(limit: str) -> str:
    """The name of a limit for support, in the active language; an unknown one as it is."""
    return _(_NAMES[limit]) if limit in _NAMES else limit


def rate_name(rate: str) -> str:
    """The name of a rate of ``limits.usage``: ``"phone 3/10m"`` is "calls to the number in 10
    minutes".
    """
    limit, _separator, text = rate.partition(" ")
    return _("%(what)s in %(period)s") % {
        "what": limit_name(limit),
        "period": duration(parse_rate(text).seconds),
    }


def duration(seconds: int) -> str:
    """A time in words, rounded up: ``40 seconds``, ``3 minutes``, ``24 hours``, ``3 days``."""
    if seconds < 60:
        return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
    minutes = -(-seconds // 60)
    if minutes < 60:
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    hours = -(-minutes // 60)
    if hours < 48:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    days = -(-hours // 24)
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
