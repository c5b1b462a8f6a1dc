"""Serializers for the bodies and the answers of the API. They contain no rules."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.verifications.challenge import MOST_CHARACTERS

DEVICE_HELP = (
    "A token for a program without cookies: sent as X-VoicePassword-Device, it makes the device "
    "known for this number. Empty where it could not be stored, or with remember_device false."
)


class SendSerializer(serializers.Serializer[None]):
    """What both requests that ring may have."""

    challenge = serializers.CharField(
        max_length=MOST_CHARACTERS,
        default=None,
        allow_blank=True,
        allow_null=True,
        help_text="What the widget of the challenge gave, after a challenge_required. The header "
        "X-VoicePassword-Challenge is another way to send it.",
    )


class StartSerializer(SendSerializer):
    phone = serializers.CharField(
        min_length=1,
        max_length=64,
        help_text="In any usual spelling: +7 999 123-45-67, 8 (999) 123-45-67, 79991234567.",
    )
    purpose = serializers.RegexField(
        r"^[a-z][a-z0-9_-]*$",
        max_length=32,
        default="login",
        help_text="What the number is verified for.",
    )
    channel = serializers.ChoiceField(
        choices=CallRequest.Channel.choices,
        default=None,
        allow_null=True,
        help_text="Default: the first of CHANNELS.",
    )


class ResendSerializer(SendSerializer):
    channel = serializers.ChoiceField(
        choices=CallRequest.Channel.choices,
        default=None,
        allow_null=True,
        help_text="Default: the next of CHANNELS.",
    )


class CheckSerializer(serializers.Serializer[None]):
    code = serializers.CharField(max_length=64, allow_blank=True, trim_whitespace=True)
    remember_device = serializers.BooleanField(
        default=True,
        help_text="false: the device is not the person's own, and gets neither token nor cookie.",
    )


class LoginSerializer(CheckSerializer):
    verification = serializers.CharField(
        min_length=1, max_length=64, help_text="The verification's id."
    )


class VerificationSerializer(serializers.Serializer[None]):
    """A ``verifications.description.Description``."""

    #: What JSON has too: DRF's fields would take several times as long to return the same.
    PLAIN = (str, int, type(None))

    id = serializers.UUIDField()
    phone = serializers.CharField(help_text="Masked: +7 *** ***-**-67.")
    purpose = serializers.CharField()
    status = serializers.ChoiceField(choices=Verification.Status.choices)
    channel = serializers.ChoiceField(
        choices=CallRequest.Channel.choices, help_text="Channel of the newest call."
    )
    delivery = serializers.ChoiceField(
        choices=CallRequest.State.choices, help_text="State of the newest call."
    )
    code_length = serializers.IntegerField()
    hint = serializers.CharField(help_text="A sentence for the person, in the request's language.")
    attempts_left = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    resend_at = serializers.DateTimeField(
        allow_null=True, help_text="When the code may be sent again; null: no send is left."
    )
    next_channels = serializers.ListField(
        child=serializers.CharField(), help_text="Channels that may be tried next."
    )

    def to_representation(self, instance: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            value = getattr(instance, name)
            found[name] = value if type(value) in self.PLAIN else field.to_representation(value)
        return found


class ApprovedSerializer(VerificationSerializer):
    proof = serializers.CharField(help_text="A signed token: this number was proved.")
    device = serializers.CharField(help_text=DEVICE_HELP)


class ChallengeSerializer(serializers.Serializer[None]):
    """What a program needs to show the widget of a challenge."""

    provider = serializers.CharField(help_text="turnstile, hcaptcha or smartcaptcha.")
    site_key = serializers.CharField()


class ErrorSerializer(serializers.Serializer[None]):
    code = serializers.CharField(help_text="A stable word for programs.")
    detail = serializers.CharField(help_text="A sentence for people, in the request's language.")
    attempts_left = serializers.IntegerField(required=False)
    retry_after = serializers.IntegerField(
        required=False, help_text="Seconds, as in the header Retry-After."
    )
    limit = serializers.CharField(required=False, help_text="The limit that was reached.")
    challenge = ChallengeSerializer(
        required=False, help_text="With challenge_required, where its provider is known."
    )
    fields = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="Field name -> list of its errors."
    )
