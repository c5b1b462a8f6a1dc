"""The answers of the staff API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from rest_framework import serializers

from django_voicepassword.api.staff.figures import Day
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.security import masking
from django_voicepassword.statistics import Figures

_STATES = f"One of {', '.join(CallRequest.State.values)}"
_SYNCED = "From the provider's daily statistics; null where the day was not synced."


def _price(places: int = 4, **options: Any) -> serializers.DecimalField:
    """Return a field that is a string whatever COERCE_DECIMAL_TO_STRING the project has.

    A JSON number would be read as binary floating point.
    """
    return serializers.DecimalField(
        max_digits=14, decimal_places=places, coerce_to_string=True, **options
    )


class StaffUserSerializer(serializers.Serializer[AbstractBaseUser]):
    id = serializers.SerializerMethodField(help_text="Masked as the username is.")
    username = serializers.SerializerMethodField(
        help_text="Digits that may be a phone number are masked."
    )

    def get_id(self, user: AbstractBaseUser) -> int | str:
        if not self.context.get("whole_phones") and masking.has_number(str(user.pk)):
            return masking.mask_name(user.pk)
        return user.pk if isinstance(user.pk, int) else str(user.pk)

    def get_username(self, user: AbstractBaseUser) -> str:
        name = str(user.get_username())
        return name if self.context.get("whole_phones") else masking.mask_name(name)


class StaffVerificationSerializer(serializers.Serializer[Verification]):
    """Leaves out the id, which is a bearer secret."""

    status = serializers.SerializerMethodField()
    purpose = serializers.CharField()
    attempts = serializers.IntegerField(help_text="Guesses that were counted.")
    sends = serializers.IntegerField(help_text="Calls and SMS that were counted.")
    user = StaffUserSerializer(allow_null=True)

    def get_status(self, verification: Verification) -> str:
        return verification.current_status


class StaffCallSerializer(serializers.Serializer[CallRequest]):
    id = serializers.IntegerField()
    phone = serializers.SerializerMethodField(
        help_text="Masked, +7 *** ***-**-67; whole, +79991234567, for users with the permission "
        "view_full_phone."
    )
    channel = serializers.ChoiceField(choices=CallRequest.Channel.choices)
    # Not a ChoiceField: drf-spectacular warns if fields of different names have the same choices,
    # and ``delivery`` of a verification has these.
    state = serializers.CharField(help_text=_STATES)
    provider_id = serializers.CharField()
    service = serializers.CharField(help_text="The provider's own name of the service it sold.")
    price = _price(allow_null=True)
    duration = serializers.IntegerField(allow_null=True, help_text="Seconds.")
    origin = serializers.ChoiceField(choices=CallRequest.Origin.choices)
    error_code = serializers.CharField()
    created_at = serializers.DateTimeField()
    placed_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    occurred_at = serializers.DateTimeField(allow_null=True, help_text="The provider's own date.")
    listed_at = serializers.DateTimeField(
        allow_null=True, help_text="When the daily statistics first listed the call."
    )
    differences = serializers.ListField(
        child=serializers.ChoiceField(
            choices=[str(flag.name).lower() for flag in CallRequest.Difference]
        ),
        help_text="Where the daily statistics differed from our values; theirs replaced ours.",
    )
    verification = StaffVerificationSerializer(allow_null=True)

    def get_phone(self, call: CallRequest) -> str:
        return f"+{call.phone}" if self.context.get("whole_phones") else call.masked_phone


class StaffReportSerializer(serializers.Serializer[CallStatus]):
    source = serializers.ChoiceField(choices=CallStatus.Source.choices)  # type: ignore[assignment]
    state = serializers.CharField(
        help_text=f"{_STATES}; or other, if the provider's state is unknown: see raw_state."
    )
    raw_state = serializers.CharField(help_text="The provider's own word for the state.")
    occurred_at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField()
    duration = serializers.IntegerField(allow_null=True)
    price = _price(allow_null=True)
    payload = serializers.DictField(help_text="The provider's report; code and phone are masked.")
    repeats = serializers.IntegerField(
        help_text="How many reports came that were identical to this one, after it."
    )


class StaffCallDetailSerializer(StaffCallSerializer):
    statuses = StaffReportSerializer(
        many=True,
        help_text="The reports about the call, the oldest first; at most 20 of one source.",
    )


class StaffCallPageSerializer(serializers.Serializer[Mapping[str, object]]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = StaffCallSerializer(many=True)


class StaffOutcomesSerializer(serializers.Serializer[Figures]):
    """How the calls ended. Without ``refused`` these add up to ``calls``."""

    answered = serializers.IntegerField(help_text="Answered calls and delivered SMS.")
    unanswered = serializers.IntegerField(
        help_text="No answer, busy or canceled: how a flash call usually ends."
    )
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="No final state yet.")
    refused = serializers.IntegerField(
        help_text="Requests that were refused: nothing rang. No other figure includes them."
    )


class StaffFiguresSerializer(serializers.Serializer[Day]):
    """The fields of a day and of the sum: first the provider's statistics, then our figures."""

    rows = serializers.IntegerField(source="synced.rows", allow_null=True, help_text=_SYNCED)
    total_price = _price(source="synced.total_price", allow_null=True, help_text=_SYNCED)
    counts = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        source="synced.counts",
        allow_null=True,
        help_text="Channel -> state -> rows.",
    )
    matched = serializers.IntegerField(source="synced.matched", allow_null=True)
    imported = serializers.IntegerField(source="synced.imported", allow_null=True)
    mismatched = serializers.IntegerField(source="synced.mismatched", allow_null=True)
    missing = serializers.IntegerField(source="synced.missing", allow_null=True)
    unreadable = serializers.IntegerField(source="synced.unreadable", allow_null=True)
    calls = serializers.IntegerField(
        source="figures.calls", help_text="Calls that may have rung, and SMS."
    )
    outcomes = StaffOutcomesSerializer(source="figures")
    cost = _price(source="figures.cost")
    started = serializers.IntegerField(
        source="figures.started", help_text="Verifications that were started."
    )
    approved = serializers.IntegerField(
        source="figures.approved", help_text="How many of these were approved."
    )
    conversion = serializers.FloatField(
        source="figures.conversion", allow_null=True, help_text="approved / started."
    )
    answer_rate = serializers.FloatField(
        source="figures.answer_rate", allow_null=True, help_text="answered / calls."
    )
    cost_per_approval = _price(2, source="figures.cost_per_approval", allow_null=True)
    median_seconds = serializers.IntegerField(
        source="figures.median_seconds", allow_null=True, help_text="From the call to the code."
    )


class StaffDaySerializer(StaffFiguresSerializer):
    date = serializers.DateField(help_text="A day in the provider's time zone.")
    synced_at = serializers.DateTimeField(source="synced.synced_at", allow_null=True)


class StaffStatisticsSerializer(serializers.Serializer[Mapping[str, object]]):
    days = StaffDaySerializer(many=True)
    total = StaffFiguresSerializer(
        help_text="The sum of all days; the provider's statistics are of the synced days only."
    )


class StaffBalanceSerializer(serializers.Serializer[Mapping[str, object]]):
    balance = _price()
    currency = serializers.CharField()
    read_at = serializers.DateTimeField()
    spend_per_day = _price(2, help_text="Mean of the synced days among the last seven full days.")
    ends_on = serializers.DateField(
        allow_null=True,
        help_text="When the balance will be used up at this spend; null: never.",
    )
