"""A backend that overrides create_user, for users who need more than a phone number."""

from __future__ import annotations

from typing import Any

from django_voicepassword.backends import PhoneBackend


class EmailBackend(PhoneBackend):
    def create_user(self, phone: str) -> Any:
        from tests.projects.models import PlusUser

        return PlusUser.objects.create(email=f"{phone}@customers.example.org", phone=f"+{phone}")
