"""The models.

Each change of state is a method with a name. A rule that a database can enforce is a constraint.
"""

from django_voicepassword.models.call_reports import CallStatus
from django_voicepassword.models.calls import CallRequest
from django_voicepassword.models.consent import ConsentText
from django_voicepassword.models.dashboard import Dashboard
from django_voicepassword.models.devices import TrustedDevice
from django_voicepassword.models.figures import DayFigures, HourFigures, PrefixFigures
from django_voicepassword.models.limits import LimitCounter
from django_voicepassword.models.person import Person
from django_voicepassword.models.protection import FraudTrip, Protection, RefusedAttempt
from django_voicepassword.models.statistics import BalanceReading, DailyStatistics
from django_voicepassword.models.verifications import Verification
from django_voicepassword.models.verified_phones import VerifiedPhone

__all__ = [
    "BalanceReading",
    "CallRequest",
    "CallStatus",
    "ConsentText",
    "DailyStatistics",
    "Dashboard",
    "DayFigures",
    "FraudTrip",
    "HourFigures",
    "LimitCounter",
    "Person",
    "PrefixFigures",
    "Protection",
    "RefusedAttempt",
    "TrustedDevice",
    "Verification",
    "VerifiedPhone",
]
