"""The example's settings, with unacknowledged messages redelivered after a second, not an hour."""

from config.settings import *  # noqa: F403
from config.settings import CELERY_BROKER_URL

if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 1}
