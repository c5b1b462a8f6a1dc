"""What a page expects to exist around its project: servers, packages, a member of the staff."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import requests
from processes import Site, free_port

from tests.docs_samples.project import Project
from tests.docs_samples.servers import PATIENCE, Server

_SANDBOX = """
VOICEPASSWORD = {
    **VOICEPASSWORD,
    "API_URL": "http://127.0.0.1:8001/api/voice-password/",
    "CALLBACK_BASE_URL": "http://127.0.0.1:8000",
    "DISPATCH": "inline",
}
"""
_NO_SERVERS = """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
STATIC_ROOT = "collected"
"""
_TOKENS = """
INSTALLED_APPS += ["rest_framework.authtoken"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"]
}
"""
_APP = """
INSTALLED_APPS += ["rest_framework", "django_voicepassword"]
AUTHENTICATION_BACKENDS = ["django_voicepassword.backends.PhoneBackend"]
MIDDLEWARE.insert(2, "django.middleware.locale.LocaleMiddleware")
"""
_UNLIMITED = 'VOICEPASSWORD = {**VOICEPASSWORD, "LIMITS": {"phone": ["99/d"]}}\n'
_KEY = 'VOICEPASSWORD = {**VOICEPASSWORD, "API_KEY": "sandbox-key"}\n'
_IN_MEMORY = 'VOICEPASSWORD = {**VOICEPASSWORD, "TRANSPORT": "memory"}\n'


@dataclass(frozen=True)
class Surroundings:
    """``settings``, ``urls``: added before the page begins; ``local``: settings for commands only.

    ``manage.py check`` runs without the local settings.
    """

    #: The page begins with a new project; all other pages begin where the tutorial ends.
    is_bare: bool = False
    #: The database has not been migrated yet.
    is_new: bool = False
    settings: str = ""
    urls: str = ""
    local: str = ""
    #: Settings in place of servers that the page uses and that do not run here.
    instead: str = ""
    has_sandbox: bool = False
    #: In this page 127.0.0.1:8000 is ``make demo``.
    is_demo: bool = False
    #: In this page https://example.org is its own project, also in its files.
    is_at_home: bool = False
    has_staff: bool = False


_PAGES = {
    "README.md": Surroundings(is_bare=True),
    "docs/api.md": Surroundings(
        settings=_TOKENS,
        urls='urlpatterns += [path("api/phone/", include("django_voicepassword.api.urls"))]\n',
        is_demo=True,
        has_staff=True,
    ),
    "docs/books.md": Surroundings(settings='INSTALLED_APPS += ["health_check"]\n'),
    "docs/commands.md": Surroundings(settings=_KEY, local=_SANDBOX, has_sandbox=True),
    "docs/custom-user.md": Surroundings(is_new=True, local=_IN_MEMORY),
    "docs/deployment.md": Surroundings(instead=_NO_SERVERS),
    "docs/going-live.md": Surroundings(local=_SANDBOX, has_sandbox=True),
    "docs/pages.md": Surroundings(
        is_bare=True, settings=_APP, urls="from django.urls import include\n"
    ),
    "docs/programs.md": Surroundings(is_at_home=True, local=_UNLIMITED),
    "docs/tutorial.md": Surroundings(is_bare=True),
}


def of_page(page: str) -> Surroundings:
    return _PAGES.get(page, Surroundings())


def start_sandbox(project: Project, port: int) -> Server:
    command = [sys.executable, "-m", "django_voicepassword.sandbox", f"--port={port}", "--quiet"]
    return Server(project, command, "sandbox listening on")


def make_staff(project: Project) -> str:
    """Make a superuser and return its API token."""
    for words in (
        ["migrate", "--verbosity=0"],
        ["createsuperuser", "--noinput"],
        ["drf_create_token", "admin"],
    ):
        done = project.run(["manage.py", *words])
        assert done.returncode == 0, done.stdout
    token = re.search(r"[0-9a-f]{40}", done.stdout)
    assert token, done.stdout
    return token[0]


#: The number that logs in at ``make demo``.
DEMO_PHONE = "79990000001"


@dataclass
class Demo:
    """The processes of ``make demo``, on free ports."""

    folder: Path
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self._log = (self.folder / "log").open("w")
        # The demo's own servers, whatever the environment of the tests names.
        servers = {
            "DATABASE_URL": f"sqlite:///{self.folder / 'db.sqlite3'}",
            "CELERY_BROKER_URL": "filesystem://localhost/",
        }
        self.site = Site(
            self.folder / "var", free_port(), free_port(), log=self._log, environment=servers
        )
        self.site.__enter__()

    @property
    def web(self) -> str:
        return self.site.web_url

    def code(self) -> str:
        """Return the newest code that rang at DEMO_PHONE.

        Another sample may call another number, and a worker may place that call later.
        """
        ledger = requests.get(
            f"{self.site.sandbox_url}/control/ledger.json", timeout=PATIENCE
        ).json()
        rang = [call["code"] for call in ledger["calls"] if call["number"] == DEMO_PHONE]
        return str(rang[-1])

    def stop(self) -> None:
        self.site.__exit__(None, None, None)
        self._log.close()
