"""The dashboard with another theme, on another admin site, with a manifest of static files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.storage import FileSystemStorage
from django.test import Client
from django.urls import path

from django_voicepassword.admin import dashboard
from django_voicepassword.models import DailyStatistics, Dashboard
from django_voicepassword.statistics import provider_today

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "django_voicepassword" / "static"

PROGRAM = """
import django
from django.conf import settings
from tests import settings as test_settings

names = [name for name in dir(test_settings) if name.isupper()]
settings.configure(**{name: getattr(test_settings, name) for name in names} | {
    "INSTALLED_APPS": ["unfold", *test_settings.INSTALLED_APPS],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
})
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

call_command("check")
call_command("migrate", verbosity=0)
client = Client()
client.force_login(User.objects.create_superuser("admin"))
page = client.get("/admin/django_voicepassword/dashboard/?days=7").content.decode()
files = ("unfold/css", "voicepassword/dashboard.css", "voicepassword/dashboard.js")
for part in (*files, "Last 7 days, all channels"):
    assert part in page, part
for address in ("/admin/", "/admin/django_voicepassword/"):
    index = client.get(address).content.decode()
    assert 'href="/admin/django_voicepassword/dashboard/"' in index, address
"""


@pytest.mark.processes
def test_under_django_unfold() -> None:
    pytest.importorskip("unfold")
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT
    )
    assert process.returncode == 0, process.stderr


other = AdminSite("other")
other.register(Dashboard, dashboard.DashboardAdmin)
urlpatterns = [path("other/", other.urls), path("admin/", admin.site.urls)]


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_on_an_admin_site_without_the_other_pages(admin_client: Client) -> None:
    DailyStatistics.objects.create(date=provider_today(), mismatched=1)
    page = admin_client.get("/other/django_voicepassword/dashboard/").content.decode()
    assert "Differences to look into" in page
    assert 'href="/other/"' in page
    # This site has no such pages, so there are no links to them.
    assert "dailystatistics" not in page
    assert "callrequest" not in page


def test_with_a_manifest_of_static_files(tmp_path: Path, settings: Any) -> None:
    settings.DEBUG = False
    source = FileSystemStorage(STATIC)
    names = [str(file.relative_to(STATIC)) for file in STATIC.rglob("*") if file.is_file()]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((STATIC / name).read_bytes())
    storage = ManifestStaticFilesStorage(location=tmp_path, base_url="/static/")
    processed = list(storage.post_process({name: (source, name) for name in names}))
    assert [
        problem for _name, _hashed, problem in processed if isinstance(problem, Exception)
    ] == []
