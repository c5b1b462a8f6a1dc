"""The Russian translation is complete, and the compiled catalogue matches its source."""

from __future__ import annotations

import gettext
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from django_voicepassword.models import CallRequest, Verification

PACKAGE = Path(__file__).parent.parent / "django_voicepassword"
CATALOGUE = Path("locale/ru/LC_MESSAGES/django.po")
PLACEHOLDERS = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}")


def _compiled(path: Path) -> dict[object, str]:
    """Return the strings of a compiled catalogue and their translations."""
    with path.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in catalogue.items() if key}


@pytest.mark.program("xgettext", "msgmerge", "msgattrib")
def test_every_translatable_string_is_translated(tmp_path: Path) -> None:
    copy = tmp_path / "django_voicepassword"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "django", "makemessages", "--locale=ru", "--no-obsolete"]
    subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        check=True,
        capture_output=True,
    )
    for kind in ("--untranslated", "--only-fuzzy"):
        messages = subprocess.run(
            ["msgattrib", kind, "--no-location", str(copy / CATALOGUE)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert re.findall(r'^msgid "(.+)"$', messages.stdout, re.MULTILINE) == []


@pytest.mark.program("msgfmt")
def test_the_compiled_catalogue_matches_its_source(tmp_path: Path) -> None:
    fresh = tmp_path / "django.mo"
    subprocess.run(
        ["msgfmt", "--check-format", "-o", str(fresh), str(PACKAGE / CATALOGUE)], check=True
    )
    assert _compiled(fresh) == _compiled((PACKAGE / CATALOGUE).with_suffix(".mo"))


def test_a_translation_has_the_placeholders_of_its_string() -> None:
    for key, text in _compiled((PACKAGE / CATALOGUE).with_suffix(".mo")).items():
        original = key[0] if isinstance(key, tuple) else key
        assert sorted(PLACEHOLDERS.findall(text)) == sorted(PLACEHOLDERS.findall(str(original))), (
            original
        )


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "Осталась 1 попытка"), (2, "Осталось 2 попытки"), (5, "Осталось 5 попыток")],
)
def test_plural_forms_follow_the_number(count: int, words: str) -> None:
    from django_voicepassword.exceptions import WrongCode
    from django_voicepassword.verifications.messages import error_text

    with translation.override("ru"):
        assert words in error_text(WrongCode(count))


def test_models_and_states_have_russian_names() -> None:
    with translation.override("ru"):
        assert str(CallRequest._meta.verbose_name_plural) == "звонки и SMS"
        words = [
            str(word)
            for kind in (CallRequest.State, CallRequest.Channel, Verification.Status)
            for word in kind.labels
        ]
        assert [word for word in words if not re.search("[а-яё]", word) and word != "SMS"] == []


@pytest.mark.django_db
def test_a_page_is_in_the_language_of_the_request(client: Client) -> None:
    page = client.get("/auth/login/", headers={"accept-language": "ru"}).content.decode()
    assert '<html lang="ru"' in page
    assert "Мы вам позвоним" in page
    assert "We will call" not in page
