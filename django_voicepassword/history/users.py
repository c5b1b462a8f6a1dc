"""Which users a text means: by user name, e-mail address, or first and last name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, takewhile
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Q

from django_voicepassword.history.reader import Reader
from django_voicepassword.models.provider_text import is_storable
from django_voicepassword.security import masking

#: Of the users whom a text finds, only this many are looked at.
MOST_USERS = 100
_NAMES = ("first_name", "last_name")


def users_named(text: str, reader: Reader) -> list[Any]:
    """Return the keys of at most 100 users whom ``text`` names.

    It is the user name or its beginning. Where no user has it, it is a whole e-mail address, or the
    beginnings of the first and the last name, in either order, where the user model has these
    fields. Whether an index answers the latter two depends on the project's user model.

    In some projects a name is a phone number, or contains one. A reader who sees it masked finds
    such a user by the whole name or by what comes before the number. Raises RateLimited.
    """
    if masking.has_number(text):
        reader.note_search()
    for fields, words, condition in _conditions(text):
        users = get_user_model()._default_manager.filter(condition).order_by()
        found = users.values_list("pk", *fields)[:MOST_USERS]
        keys = [key for key, *names in found if _may_find(words, names, reader)]
        if keys:
            return keys
    return []


def _conditions(text: str) -> Iterator[tuple[list[str], list[str], Q]]:
    """Yield the fields to compare with ``text``, its words, one for a field, and the condition."""
    model = get_user_model()
    user_name, email = model.USERNAME_FIELD, getattr(model, "EMAIL_FIELD", "")
    if _can_hold(user_name, text):
        yield [user_name], [text], Q(**{user_name: text}) | Q(**{f"{user_name}__startswith": text})
    if "@" in text:
        if email != user_name and _can_hold(email, text):
            yield [email], [text], Q(**{f"{email}__in": [text, text.lower()]})
    elif all(_can_hold(field, text) for field in _NAMES):
        words = text.split()[:2]
        yield list(_NAMES), words, _has_names(words)


def _can_hold(field: str, text: str) -> bool:
    """Whether the user model has the field, and it can hold ``text``."""
    model = get_user_model()
    try:
        model._meta.get_field(field)
    except FieldDoesNotExist:
        return False
    return is_storable(text, model, field, model._default_manager.db)


def _has_names(words: list[str]) -> Q:
    first, last = _NAMES
    if len(words) == 1:
        return _begins(first, words[0]) | _begins(last, words[0])
    one, other = words
    return (_begins(first, one) & _begins(last, other)) | (
        _begins(last, one) & _begins(first, other)
    )


def _begins(field: str, word: str) -> Q:
    """Return the condition that a name begins with ``word``, which may lack its capital letter."""
    condition = Q(**{f"{field}__startswith": word})
    return condition | Q(**{f"{field}__startswith": word.capitalize()})


def _may_find(words: list[str], names: list[str], reader: Reader) -> bool:
    """Whether ``words`` tell the reader nothing of these names that is masked.

    Each word is compared with one name, in either order: the length of a first name must not allow
    the beginning of a number in the last name.
    """
    if reader.sees_whole_numbers or not any(map(_is_masked, names)):
        return True
    orders = permutations(names, len(words))
    return any(all(map(_tells_nothing, words, order)) for order in orders)


def _tells_nothing(word: str, name: str) -> bool:
    """Whether ``name`` begins with ``word``, and is it or shows as much of itself."""
    is_shown = len(word) == len(name) or len(word) <= _shown_beginning(name)
    return is_shown and name.casefold().startswith(word.casefold())


def _is_masked(name: str) -> bool:
    return masking.mask_name(name) != name


def _shown_beginning(name: str) -> int:
    """Return how many characters of ``name`` come before the first one that is masked."""
    masked = masking.mask_name(name)
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name, masked, strict=False))
    )
