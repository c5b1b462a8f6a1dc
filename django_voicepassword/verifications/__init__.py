"""The front door: ``start``, ``resend``, ``check``, ``cancel``, ``get``, and proofs.

Every surface calls these verbs and holds no rule of its own.
"""

from django_voicepassword.verifications.checking import cancel, check, get
from django_voicepassword.verifications.proofs import Proof, make_proof, read_proof
from django_voicepassword.verifications.resending import resend
from django_voicepassword.verifications.sending import start

__all__ = ["Proof", "cancel", "check", "get", "make_proof", "read_proof", "resend", "start"]
