from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class VoicePasswordConfig(AppConfig):
    name = "django_voicepassword"
    label = "django_voicepassword"
    verbose_name = _("Phone verification")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_voicepassword import checks  # noqa: F401  (registers the system checks)
