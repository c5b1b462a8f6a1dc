"""Codes, signed tokens, and the removal of secrets from whatever is kept or logged.

This face needs no Django. The modules ``codes``, ``callback_tokens``, ``trusted_devices`` and
``sensitive`` do: import them by name.
"""

from django_voicepassword.security.masking import mask, mask_payload, mask_text
from django_voicepassword.security.tracebacks import Secret, forget, forgetful, forgetful_rows

__all__ = [
    "Secret",
    "forget",
    "forgetful",
    "forgetful_rows",
    "mask",
    "mask_payload",
    "mask_text",
]
