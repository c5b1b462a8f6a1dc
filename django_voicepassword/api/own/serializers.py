"""The bodies and answers of the API of one's own numbers and devices."""

from __future__ import annotations

from rest_framework import serializers


class OwnPhoneSerializer(serializers.Serializer[None]):
    """A ``models.VerifiedPhone``."""

    id = serializers.IntegerField()
    phone = serializers.CharField(source="masked_phone", help_text="Masked: +7 *** ***-**-67.")
    verified_at = serializers.DateTimeField(help_text="When it was last proved.")


class ProofSerializer(serializers.Serializer[None]):
    proof = serializers.CharField(
        max_length=256,
        help_text="What the check of a verification with the purpose confirm answered, at most "
        "600 s ago. It works once.",
    )


class OwnDeviceSerializer(serializers.Serializer[None]):
    """An ``accounts.devices.Device``."""

    id = serializers.IntegerField()
    phones = serializers.ListField(
        child=serializers.CharField(), help_text="The numbers proved on it, masked."
    )
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(help_text="When a number was last proved on it.")
    is_current = serializers.BooleanField(
        help_text="Whether this request comes from it: it shows the token or the cookie."
    )
