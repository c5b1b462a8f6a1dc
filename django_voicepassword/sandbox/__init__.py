"""The imitated provider, for development and tests. It is no part of production and imports nothing
of the app.

Its JSON is typed anew from the provider's document, so that one misreading of ours cannot cancel
itself. Start it with ``python -m django_voicepassword.sandbox`` or ``manage.py
voicepassword_sandbox``.
"""
