"""What the staff API answers; no rule lives here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.security import masking

_STATES = f"One of {', '.join(CallRequest.State.values)}"
_SYNCED = "Of the provider's daily statistics; null where the day was not synced."


def _price(places: int = 4, **options: Any) -> serializers.DecimalField:
    """A string whatever the project's COERCE_DECIMAL_TO_STRING: a program must not read money in
    binary.
    """
    return serializers.DecimalField(
        max_digits=14, decimal_places=places, coerce_to_string=True, **options
    )


class StaffUserSerializer(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    username = serializers.SerializerMethodField(
        help_text="What in it may be a phone number is masked."
    )

    def get_id(self, user: Any) -> int | str:
        return user.pk if isinstance(user.pk, int) else str(user.pk)

    def get_username(self, user: Any) -> str:
        # Many a project's user name is the phone number.
        name = str(user.get_username())
        return name if self.context.get("whole_phones") else masking.mask_text(name, length=254)


class StaffVerificationSerializer(serializers.Serializer[Verification]):
    """Without its id, which is a bearer secret."""

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
        help_text="Masked, +7 *** ***-**-67; whole, +79991234567, with the permission view_full_phone."
    )
    channel = serializers.ChoiceField(choices=CallRequest.Channel.choices)
    # No ChoiceField: the same words are an enum of the schema already, of another field's name.
    state = serializers.CharField(help_text=_STATES)
    provider_id = serializers.CharField()
    service = serializers.CharField(help_text="The provider's own word for what was sold.")
    price = _price(allow_null=True)
    duration = serializers.IntegerField(allow_null=True, help_text="Seconds.")
    origin = serializers.ChoiceField(choices=CallRequest.Origin.choices)
    error_code = serializers.CharField()
    created_at = serializers.DateTimeField()
    placed_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    occurred_at = serializers.DateTimeField(allow_null=True, help_text="The provider's own date.")
    listed_at = serializers.DateTimeField(
        allow_null=True, help_text="When the daily statistics listed it first."
    )
    differences = serializers.ListField(
        child=serializers.ChoiceField(
            choices=[str(one.name).lower() for one in CallRequest.Difference]
        ),
        help_text="What the daily statistics said otherwise than we had it; their figure won.",
    )
    verification = StaffVerificationSerializer(allow_null=True)

    def get_phone(self, call: CallRequest) -> str:
        return f"+{call.phone}" if self.context.get("whole_phones") else call.masked_phone


class StaffReportSerializer(serializers.Serializer[CallStatus]):
    source = serializers.ChoiceField(choices=CallStatus.Source.choices)  # type: ignore[assignment]
    state = serializers.CharField(
        help_text=f"{_STATES}; or other: a word that is not known, kept in raw_state."
    )
    raw_state = serializers.CharField(help_text="The provider's word.")
    occurred_at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField()
    duration = serializers.IntegerField(allow_null=True)
    price = _price(allow_null=True)
    payload = serializers.DictField(help_text="What the provider wrote, code and phone masked.")


class StaffCallDetailSerializer(StaffCallSerializer):
    statuses = StaffReportSerializer(
        many=True, help_text="Everything that was reported of it, in its order."
    )


class StaffCallPageSerializer(serializers.Serializer[Mapping[str, Any]]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = StaffCallSerializer(many=True)


class StaffOutcomesSerializer(serializers.Serializer[Any]):
    """How the calls ended; all but ``refused`` add up to ``calls``."""

    answered = serializers.IntegerField(help_text="Answered calls and delivered SMS.")
    unanswered = serializers.IntegerField(
        help_text="No answer, busy, canceled: how a flash call usually ends."
    )
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="No final state yet.")
    refused = serializers.IntegerField(help_text="Nothing rang: in no other figure.")


class StaffFiguresSerializer(serializers.Serializer[Any]):
    """What a day and their sum share: ``books`` as the provider told it, ``figures`` as we count
    it.
    """

    rows = serializers.IntegerField(source="books.rows", allow_null=True, help_text=_SYNCED)
    total_price = _price(source="books.total_price", allow_null=True, help_text=_SYNCED)
    counts = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        source="books.counts",
        allow_null=True,
        help_text="Channel -> state -> rows.",
    )
    matched = serializers.IntegerField(source="books.matched", allow_null=True)
    imported = serializers.IntegerField(source="books.imported", allow_null=True)
    mismatched = serializers.IntegerField(source="books.mismatched", allow_null=True)
    missing = serializers.IntegerField(source="books.missing", allow_null=True)
    unreadable = serializers.IntegerField(source="books.unreadable", allow_null=True)
    calls = serializers.IntegerField(
        source="figures.calls", help_text="That may have rung, and SMS."
    )
    outcomes = StaffOutcomesSerializer(source="figures")
    cost = _price(source="figures.cost")
    started = serializers.IntegerField(source="figures.started", help_text="Verifications.")
    approved = serializers.IntegerField(
        source="figures.approved", help_text="Of these, the approved ones."
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
    date = serializers.DateField(help_text="A day of the provider.")
    synced_at = serializers.DateTimeField(source="books.synced_at", allow_null=True)


class StaffStatisticsSerializer(serializers.Serializer[Mapping[str, Any]]):
    days = StaffDaySerializer(many=True)
    total = StaffFiguresSerializer(
        help_text="Of all days; what the provider told, of those that were synced."
    )


class StaffBalanceSerializer(serializers.Serializer[Mapping[str, Any]]):
    balance = _price()
    currency = serializers.CharField()
    read_at = serializers.DateTimeField()
    spend_per_day = _price(2, help_text="By the last seven full days that were synced.")
    ends_on = serializers.DateField(allow_null=True, help_text="null: it does not, at this rate.")
