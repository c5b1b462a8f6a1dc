from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class VoicePasswordConfig(AppConfig):
    name = "django_voicepassword"
    label = "django_voicepassword"
    verbose_name = _("Phone verification")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Registers the system checks, and the tasks that calls are handed to by name.
        from django_voicepassword import checks, tasks  # noqa: F401

        if apps.is_installed("drf_spectacular"):
            # They register the descriptions of the views.
            import django_voicepassword.api.schema
            import django_voicepassword.api.staff.schema  # noqa: F401
