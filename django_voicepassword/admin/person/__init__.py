"""The page of a customer: one box to find a person, and everything that is known of them."""

from django_voicepassword.admin.person.page import PersonAdmin

__all__ = ["PersonAdmin"]
