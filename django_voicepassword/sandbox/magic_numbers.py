"""The magic numbers: the number that is called decides what happens to a call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What happens to calls and SMS to one number."""

    #: Shown on the sandbox's front page and in docs/sandbox.md.
    about: str
    #: The states that callbacks report, in order; the last one is final.
    states: tuple[str, ...] = ("NO ANSWER",)
    #: How a send request is answered: ok, error:<code>, slow, silent, drop, 500, html, truncated,
    #: no_code or number_id.
    reply: str = "ok"
    #: How callbacks are sent: once, twice, never, early, late, form or reversed.
    callbacks: str = "once"
    sms_states: tuple[str, ...] = ("QUEUED", "SEND", "DELIVERED")
    #: Whether an SMS has an id of its own or the id of its call; the document does not say.
    sms_has_own_id: bool = True


#: The outcome for all numbers that are not in the table. A voice call is answered.
ORDINARY = Outcome(
    "any other number: a flash call rings out, a voice call is answered, an SMS is delivered"
)

OUTCOMES: dict[str, Outcome] = {
    "79990000101": Outcome("answered", ("ANSWERED",)),
    "79990000102": Outcome("no answer", ("NO ANSWER",)),
    "79990000103": Outcome("busy", ("BUSY",)),
    "79990000104": Outcome("canceled", ("CANCEL",)),
    "79990000105": Outcome("failed: nothing rings", ("FAIL",)),
    "79990000106": Outcome("a state that the document does not know", ("TELEPORTED",)),
    "79990000107": Outcome("two different final states", ("NO ANSWER", "ANSWERED")),
    "79990000108": Outcome(
        "the SMS is not delivered", sms_states=("QUEUED", "SEND", "NOT DELIVERED")
    ),
    "79990000109": Outcome("the SMS has the id of its call", sms_has_own_id=False),
    "79990000201": Outcome("error number_not_valid", reply="error:number_not_valid"),
    "79990000202": Outcome("error number_not_permitted", reply="error:number_not_permitted"),
    "79990000203": Outcome("error number_in_spam_list", reply="error:number_in_spam_list"),
    "79990000204": Outcome("error number_is_empty", reply="error:number_is_empty"),
    "79990000205": Outcome("error not_enough_money", reply="error:not_enough_money"),
    "79990000206": Outcome("error authorisation_failed", reply="error:authorisation_failed"),
    "79990000207": Outcome("error user_disabled", reply="error:user_disabled"),
    "79990000208": Outcome("error unknown_request", reply="error:unknown_request"),
    "79990000209": Outcome("error ani_phone_not_valid", reply="error:ani_phone_not_valid"),
    "79990000210": Outcome("error code_not_valid", reply="error:code_not_valid"),
    "79990000211": Outcome(
        "an error code that is not in the document", reply="error:Сервис временно недоступен"
    ),
    "79990000301": Outcome("the answer takes 5 seconds", reply="slow"),
    "79990000302": Outcome("it rings, and no answer comes for a minute", reply="silent"),
    "79990000303": Outcome("it rings, and the connection is dropped", reply="drop"),
    "79990000304": Outcome("it rings, and the answer is HTTP 500", reply="500"),
    "79990000305": Outcome("it rings, and the answer is an HTML page", reply="html"),
    "79990000306": Outcome("it rings, and the answer is half a JSON", reply="truncated"),
    "79990000307": Outcome("the answer has no code", reply="no_code"),
    "79990000308": Outcome("the id is a JSON number", reply="number_id"),
    "79990000401": Outcome("every callback comes twice", callbacks="twice"),
    "79990000402": Outcome("no callback comes", callbacks="never"),
    "79990000403": Outcome("the callback comes before the answer", callbacks="early"),
    "79990000404": Outcome("the callback comes 10 seconds late", callbacks="late"),
    "79990000405": Outcome("the callback is a form, not JSON", callbacks="form"),
    "79990000406": Outcome(
        "callbacks come in reverse: the final state first, then the older ones",
        callbacks="reversed",
    ),
}

#: The heading of each group of magic numbers, by the third digit from the end.
GROUPS = {
    "1": "What becomes of the call",
    "2": "The provider refuses: nothing rings, nothing is paid",
    "3": "Answers that are slow, lost or odd",
    "4": "Callbacks",
}


def outcome_of(number: str, channel: str) -> Outcome:
    """What happens to a call of ``channel`` to ``number``."""
    outcome = OUTCOMES.get(number)
    if outcome is not None:
        return outcome
    return Outcome(ORDINARY.about, ("ANSWERED",)) if channel == "voice" else ORDINARY
