"""The app's configuration: registers its system checks, tasks and API descriptions."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


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
            import django_voicepassword.api.schema
            import django_voicepassword.api.staff.schema  # noqa: F401
