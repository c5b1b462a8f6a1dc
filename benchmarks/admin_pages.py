"""The pages of the admin over a short and a long history: the time of each page on both, and their
ratio. The two databases take turns.

    python -m benchmarks.admin_pages SHORT LONG

SHORT and LONG are addresses of migrated databases, filled for example by ``manage.py demo_data
--calls 10000`` and ``--calls 1000000`` of the example project. The time is that of the view and its
template, without middleware and network.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

#: How often each page is requested on each database. The median counts.
ROUNDS = 15
LIST = "/admin/django_voicepassword/callrequest/"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("short", help="address of a database with a short history")
    parser.add_argument("long", help="address of a database with a long history")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["DATABASE_URL"] = options.short
    import django

    django.setup()
    from tests.settings import _database

    addresses = {"short": options.short, "long": options.long}
    databases = {name: _database(address) for name, address in addresses.items()}
    for name, database in databases.items():
        use(database)
        print(f"{name}: {rows():,} calls", flush=True)
    for page, short, long in measure(
        partial(use, databases["short"]), partial(use, databases["long"])
    ):
        print(f"{short:8.1f} ms {long:8.1f} ms  x {long / short:5.2f}  {page}", flush=True)
    return 0


def measure(
    use_short: Callable[[], object], use_long: Callable[[], object]
) -> Iterator[tuple[str, float, float]]:
    """Yield each page with its milliseconds on both databases.

    Each argument makes one of the databases the default connection.
    """
    for page in pages():
        times: dict[Callable[[], object], list[float]] = {use_short: [], use_long: []}
        for _ in range(ROUNDS):
            for use_database, taken in times.items():
                use_database()
                taken.append(ask(page))
        short, long = (statistics.median(taken) * 1000 for taken in times.values())
        yield page, short, long


def use(database: dict[str, Any]) -> None:
    """Make ``database`` the default connection."""
    from django.db import connection

    if connection.settings_dict["NAME"] != database["NAME"]:
        connection.close()
        connection.settings_dict.update(database)


def rows() -> int:
    from django_voicepassword.models import CallRequest

    return CallRequest.objects.count()


def pages() -> list[str]:
    """The list with different filters and searches, one call, and the dashboard."""
    parameters = [
        "",
        "?p=20",
        "?state=failed",
        "?channel=sms",
        "?origin=imported",
        "?differs=any",
        "?error=any",
        "?error=number_in_spam_list",
        "?q=67",
        "?q=4567",
        "?q=79991234567",
        "?q=user_a",
        "?from=2026-01-01&to=2026-01-31",
    ]
    board = "/admin/django_voicepassword/dashboard/"
    return [
        *(f"{LIST}{query}" for query in parameters),
        "call",
        f"{board}?days=30",
        f"{board}?days=365",
    ]


def ask(page: str) -> float:
    """Request a page, and return the seconds until its answer was complete."""
    from django.contrib.auth import get_user_model
    from django.test import RequestFactory
    from django.urls import resolve

    from django_voicepassword.models import CallRequest

    if page == "call":
        newest = CallRequest.objects.order_by("-created_at").values_list("pk", flat=True)[0]
        page = f"{LIST}{newest}/change/"
    user = get_user_model().objects.filter(
        is_superuser=True
    ).first() or get_user_model().objects.create_superuser("bench")
    request = RequestFactory().get(page)
    request.user = user
    request.session = {}  # type: ignore[assignment]
    view, args, kwargs = resolve(request.path)
    began = time.perf_counter()
    answer: Any = view(request, *args, **kwargs)
    if hasattr(answer, "render"):
        answer.render()
    taken = time.perf_counter() - began
    if answer.status_code != 200:
        raise SystemExit(f"{page} answered {answer.status_code}")
    return taken


if __name__ == "__main__":
    sys.exit(main())
