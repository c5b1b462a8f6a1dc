"""Whose number it is: users, login, and the confirmation of a number before an important step."""

from django_voicepassword.accounts.confirmation import confirm, is_confirmed
from django_voicepassword.accounts.login import (
    LoginResult,
    PhoneLogin,
    authenticate_phone,
    log_in,
    log_in_session,
)

__all__ = [
    "LoginResult",
    "PhoneLogin",
    "authenticate_phone",
    "confirm",
    "is_confirmed",
    "log_in",
    "log_in_session",
]
