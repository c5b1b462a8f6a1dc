"""Phone verification and phone login for Django, by flash call, voice call and SMS."""

__version__ = "0.1.0"
