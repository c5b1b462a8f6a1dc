"""Run one job in a process of its own: clock and settings are those of the whole process."""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import time

from benchmarks.attacks.figures import Figures


def run(job: object) -> Figures:
    """Run a ``scenarios.Job``, given as a dict of its fields."""
    fields = dict(job)  # type: ignore[call-overload]
    began = time.process_time()
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.attacks.settings"
    os.environ["ATTACKS_VOICEPASSWORD"] = json.dumps(fields["settings"])
    from benchmarks.attacks.clock import clock

    clock.install()
    import django

    django.setup()
    from benchmarks.attacks.scenarios import ATTACKS, Job

    logging.disable(logging.CRITICAL)
    random.seed(fields["seed"])
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    job = Job(**fields)
    figures = ATTACKS[job.attack](job)
    figures.seconds = time.process_time() - began
    return figures
