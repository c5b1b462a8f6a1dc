"""The example's settings in production, with everything recorded that a process may output.

Every logger is at DEBUG; SQL has a file of its own, because its parameters contain numbers.
Recorded are also the mails to the admins with all variables, the results of tasks with their
arguments, the events of tasks, and each message to the broker.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from celery import signals
from config.settings import *  # noqa: F403
from config.settings import VAR
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.utils.log import AdminEmailHandler
from kombu import transport

for _folder in ("logs", "mail", "messages", "results"):
    (VAR / _folder).mkdir(exist_ok=True)

#: Attributes that every log record has.
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class Everything(logging.Formatter):
    """The line, with the arguments and extras that a log collector gets beside it."""

    def format(self, record: logging.LogRecord) -> str:
        extras = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return f"{super().format(record)} {record.args!r} {extras!r}"


class Mails(AdminEmailHandler):
    """Writes Django's error mails to files: subject, text and page."""

    def send_mail(self, subject: Any, message: Any, *args: Any, **kwargs: Any) -> None:
        parts = (subject, message, kwargs["html_message"])
        (VAR / "mail" / uuid.uuid4().hex).write_text("\n\n\n\n".join(map(str, parts)), "utf-8")


def _file(name: str) -> dict[str, Any]:
    return {
        "class": "logging.FileHandler",
        "filename": str(VAR / "logs" / name),
        "formatter": "everything",
    }


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "everything": {
            "()": f"{__name__}.Everything",
            "format": "%(asctime)s %(name)s %(levelname)s %(message)s",
        }
    },
    "handlers": {
        "file": _file("everything.log"),
        "sql": _file("sql.log"),
        "mail": {"class": f"{__name__}.Mails", "level": "ERROR", "include_html": True},
    },
    "root": {"level": "DEBUG", "handlers": ["file", "mail"]},
    "loggers": {
        "django": {"level": "DEBUG", "handlers": [], "propagate": True},
        "django.server": {"level": "DEBUG", "handlers": [], "propagate": True},
        "django.db.backends": {"level": "DEBUG", "handlers": ["sql"], "propagate": False},
        **{
            name: {"level": "DEBUG"}
            for name in ("celery", "kombu", "amqp", "urllib3", "requests", "django_voicepassword")
        },
    },
}
CELERY_RESULT_BACKEND = f"file://{VAR / 'results'}"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_IGNORE_RESULT = False
# The tasks ignore their results; here they are recorded.
CELERY_TASK_ANNOTATIONS = {"*": {"ignore_result": False}}
CELERY_WORKER_SEND_TASK_EVENTS = CELERY_TASK_SEND_SENT_EVENT = True
transport.TRANSPORT_ALIASES["filesystem"] = "tests.secrets.recording_broker:Transport"


@signals.setup_logging.connect(weak=False)
def keep_django_logging(**kwargs: Any) -> None:
    """With a receiver of this signal Celery does not configure logging itself."""


@receiver(connection_created)
def log_sql(connection: Any, **kwargs: Any) -> None:
    """Log SQL as with DEBUG on."""
    connection.force_debug_cursor = True
