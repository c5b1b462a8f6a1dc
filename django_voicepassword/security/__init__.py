"""Codes, signed tokens, and the removal of secrets from everything that is stored or logged.

Importing this package needs no Django. The modules ``codes``, ``callback_tokens``,
``trusted_devices`` and ``sensitive`` need it, so they are not imported here.
"""

from django_voicepassword.security.masking import mask, mask_payload, mask_text
from django_voicepassword.security.tracebacks import (
    Secret,
    clear_frames,
    clear_frames_on_error,
    clear_frames_while_iterating,
)

__all__ = [
    "Secret",
    "clear_frames",
    "clear_frames_on_error",
    "clear_frames_while_iterating",
    "mask",
    "mask_payload",
    "mask_text",
]
