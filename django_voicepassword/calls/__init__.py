"""One call request: placed at most once, moved by what is reported about it, polled, recovered."""

from django_voicepassword.calls.placing import give_up, place
from django_voicepassword.calls.polling import poll, refresh
from django_voicepassword.calls.recording import record

__all__ = ["give_up", "place", "poll", "record", "refresh"]
