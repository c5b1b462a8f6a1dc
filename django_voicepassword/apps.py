"""The app's configuration: registers its checks, tasks, API descriptions and a signal receiver."""

from django.apps import AppConfig, apps
from django.contrib.auth.signals import user_login_failed
from django.utils.translation import gettext_lazy as _

from django_voicepassword.security.failed_logins import shorten_verification

# Not in ready(): other apps connect their receivers there, and this one must come before them. It
# also goes before those that were connected earlier, when the project's modules were imported.
user_login_failed.connect(shorten_verification)
with user_login_failed.lock:
    user_login_failed.receivers.insert(0, user_login_failed.receivers.pop())


class VoicePasswordConfig(AppConfig):
    name = "django_voicepassword"
    label = "django_voicepassword"
    verbose_name = _("Phone verification")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing them registers the system checks and the Celery tasks.
        from django_voicepassword import checks, tasks  # noqa: F401

        if apps.is_installed("drf_spectacular"):
            # Importing them registers the descriptions of the API views.
            import django_voicepassword.api.own.schema
            import django_voicepassword.api.schema
            import django_voicepassword.api.staff.schema  # noqa: F401
