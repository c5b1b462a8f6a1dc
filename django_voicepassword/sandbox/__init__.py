"""The imitated provider, for development and tests. Not for production.

It imports nothing from the rest of the package. Its JSON follows the provider's document
independently, so that a misreading of the document in the app does not go unnoticed. Start it with
``python -m django_voicepassword.sandbox`` or ``manage.py voicepassword_sandbox``.
"""
