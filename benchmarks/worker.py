"""The Celery application of the measured project, as docs/deployment.md sets it up."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import task_prerun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
app = Celery("benchmarks")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()


@task_prerun.connect
def check_connections(**kwargs: Any) -> None:
    close_old_connections()


@app.task(acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def by_hand(call_id: int) -> None:
    """Write the same rows as ``place_call`` without a request to the provider: read the call, claim
    it, mark it as placed, and add one status.
    """
    from django.db import transaction
    from django.utils import timezone

    from django_voicepassword.models import CallRequest, CallStatus

    call = CallRequest.objects.select_related("verification").get(pk=call_id)
    now = timezone.now()
    CallRequest.objects.filter(pk=call_id, state="queued").update(
        state="placing", claimed_at=now, code_digest="0" * 64
    )
    with transaction.atomic():
        CallRequest.objects.filter(pk=call_id, state="placing").update(
            state="placed", provider_id="1234567890", price="0.35", placed_at=now, next_poll_at=now
        )
        CallStatus.objects.create(
            call=call, state="placed", raw_state="ok", source="send", received_at=now, price="0.35"
        )


@app.task(ignore_result=True)
def empty(call_id: int) -> None:
    """Do nothing."""
