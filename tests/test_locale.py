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
from django.apps import apps
from django.test import Client
from django.utils import translation

from django_voicepassword.models import CallRequest, Verification
from tests.russian import SLIPS

PACKAGE = Path(__file__).parent.parent / "django_voicepassword"
DEMO = PACKAGE.parent / "example_project" / "demo_site"
CATALOGUE = Path("locale/ru/LC_MESSAGES/django.po")
PLACEHOLDERS = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}")


def _compiled(path: Path) -> dict[object, str]:
    """Return the strings of a compiled catalogue and their translations."""
    with path.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in catalogue.items() if key}


@pytest.mark.program("xgettext", "msgmerge", "msgattrib")
@pytest.mark.parametrize("of", [PACKAGE, DEMO], ids=lambda folder: folder.name)
def test_every_translatable_string_is_translated(of: Path, tmp_path: Path) -> None:
    copy = tmp_path / of.name
    shutil.copytree(of, copy, ignore=shutil.ignore_patterns("__pycache__"))
    # Isolated: the demo has a module of its own that is called numbers.
    python = [sys.executable, "-I", "-m", "django"]
    subprocess.run(
        [*python, "makemessages", "--locale=ru", "--no-obsolete"],
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
        # Nothing is printed, not even the head of the file, where no message is of this kind.
        assert messages.stdout == "", kind


@pytest.mark.parametrize("of", [PACKAGE, DEMO], ids=lambda folder: folder.name)
def test_no_plural_form_is_empty(of: Path) -> None:
    """``msgattrib`` looks at the first form alone."""
    texts = _compiled((of / CATALOGUE).with_suffix(".mo"))
    assert [key for key, text in texts.items() if not text] == []


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


@pytest.mark.parametrize("rule", SLIPS)
@pytest.mark.parametrize("of", [PACKAGE, DEMO], ids=lambda folder: folder.name)
def test_a_text_keeps_the_rules_of_typography(rule: str, of: Path) -> None:
    texts = _compiled((of / CATALOGUE).with_suffix(".mo")).values()
    assert [text for text in texts if SLIPS[rule].search(text)] == [], rule


def test_a_model_has_a_name_that_stays_the_same_in_djangos_sentences() -> None:
    """Django says "Выберите %s для изменения", with the name as it is.

    A feminine noun would need another ending there. The pages of models without a table have
    titles of their own.
    """
    models = [
        model
        for model in apps.get_app_config("django_voicepassword").get_models()
        if not model._meta.proxy
    ]
    with translation.override("ru"):
        names = [str(model._meta.verbose_name) for model in models]
    assert names
    assert [name for name in names if re.match(r"\w+[ая]\b", name)] == []


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "Осталась 1\u00a0попытка"),
        (2, "Осталось 2\u00a0попытки"),
        (5, "Осталось 5\u00a0попыток"),
    ],
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
