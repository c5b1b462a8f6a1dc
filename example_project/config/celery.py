import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready
from django.conf import settings

from config import broker

broker.register()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("example_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def mark_worker_ready(**kwargs: Any) -> None:
    """Create a file that shows that the worker takes tasks."""
    # mypy reads the settings of the tests, which have no VAR.
    (settings.VAR / "worker.ready").touch()  # type: ignore[misc]
