"""Short names of error codes and purposes, for lists, filters and badges."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from django_voicepassword.accounts import confirmation, person
from django_voicepassword.calls import errors

#: Error code of a call -> its name. ``advice.ERRORS`` says what each means.
_ERRORS: dict[str, Promise] = {
    "number_in_spam_list": gettext_lazy("number blocked for a day"),
    "number_not_valid": gettext_lazy("no such number"),
    "number_not_permitted": gettext_lazy("number not allowed"),
    "number_is_empty": gettext_lazy("number missing"),
    "not_enough_money": gettext_lazy("no money"),
    "authorisation_failed": gettext_lazy("key not accepted"),
    "user_disabled": gettext_lazy("account blocked"),
    "unknown_request": gettext_lazy("request not understood"),
    "ani_phone_not_valid": gettext_lazy("wrong caller number"),
    "code_not_valid": gettext_lazy("code not accepted"),
    "id_not_found": gettext_lazy("unknown to the provider"),
    errors.UNREACHABLE: gettext_lazy("provider unreachable"),
    errors.NOT_QUEUED: gettext_lazy("queue of tasks down"),
    errors.MISCONFIGURED: gettext_lazy("wrong setting"),
    errors.NO_EARLIER_CALL: gettext_lazy("no call before the SMS"),
    errors.ACCOUNT_REFUSED: gettext_lazy("account refused"),
    errors.NO_BUDGET: gettext_lazy("day's money spent"),
    errors.TOO_LATE: gettext_lazy("too late"),
    errors.REPLACED: gettext_lazy("asked once more"),
    errors.NO_CODE: gettext_lazy("no code in the reply"),
    errors.NO_REPLY: gettext_lazy("answer lost"),
    "unreadable_reply": gettext_lazy("answer not readable"),
    errors.INTERRUPTED: gettext_lazy("worker was stopped"),
    errors.WORKER_LOST: gettext_lazy("worker lost"),
    errors.NO_FINAL_STATE: gettext_lazy("outcome not reported"),
    person.ERASED: gettext_lazy("data erased"),
}
_PURPOSES: dict[str, Promise] = {
    "login": gettext_lazy("login"),
    confirmation.PURPOSE: gettext_lazy("confirmation of a number"),
}


def error_name(code: str) -> str:
    """Return the name of an error code in the active language; an unknown one as it is."""
    return str(_ERRORS.get(code.casefold(), code))


def purpose_name(purpose: str) -> str:
    """Return the name of a purpose in the active language; one of the project as it is."""
    return str(_PURPOSES.get(purpose, purpose))
