"""``manage.py voicepassword_beat``: install the beat schedule into django-celery-beat.

There it can be edited in the admin.
"""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.apps import apps
from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from django_voicepassword.management.base import AppCommand
from django_voicepassword.schedule import BEAT_SCHEDULE


class Command(AppCommand):
    help = (
        "Installs BEAT_SCHEDULE into django-celery-beat, or updates it there. "
        "Disabled tasks stay disabled."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not apps.is_installed("django_celery_beat"):
            raise CommandError(
                _(
                    "django-celery-beat is missing: pip install 'django-voicepassword[beat]' "
                    'and put "django_celery_beat" into INSTALLED_APPS; '
                    "without it put BEAT_SCHEDULE into CELERY_BEAT_SCHEDULE"
                )
            )
        from django_celery_beat.models import PeriodicTask
        from django_celery_beat.schedulers import ModelEntry

        installed = set(
            PeriodicTask.objects.filter(name__in=BEAT_SCHEDULE).values_list("name", flat=True)
        )
        for name, entry in BEAT_SCHEDULE.items():
            ModelEntry.from_entry(name, app=current_app, **entry)
            done = _("updated") if name in installed else _("installed")
            self.stdout.write(f"{name}: {done}")
