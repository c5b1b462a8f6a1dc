"""Helpers for the tests of a host project.

With TRANSPORT "memory" the app calls nobody. ``outbox`` lists what would have been sent:

    from django_voicepassword.testing import outbox

    verification = verifications.start("+7 999 123-45-67")
    assert outbox[-1].channel == "flashcall"
    verifications.check(verification.id, outbox[-1].code)

Empty it between tests: ``outbox.clear()``.
"""

from django_voicepassword.provider.memory import MemoryClient, Sent, outbox

__all__ = ["MemoryClient", "Sent", "outbox"]
