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
def tell(**kwargs: Any) -> None:
    """A file says that the worker takes tasks, to whoever started it."""
    (settings.VAR / "worker.ready").touch()
