"""One spelling of a number: E.164 digits without the plus, ``79991234567``; and one way to hide it."""

from __future__ import annotations

import phonenumbers

from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidPhone, PrefixNotAllowed

# Longer than any spelling of a number; the parser is not given an attacker's megabyte.
MAX_INPUT_LENGTH = 40


class Phone(str):
    """A phone number in its one spelling: E.164 digits without the plus, ``79991234567``."""

    __slots__ = ()


def normalize(text: object, region: str | None = None) -> Phone:
    """Read a number as a person writes it: ``8 (999) 123-45-67`` in region RU is ``79991234567``.

    ``region`` (default DEFAULT_REGION) is how a number without its country code is read; what is no
    number there is read with its country code, so that our own spelling of any number is one.
    Raises InvalidPhone.
    """
    if isinstance(text, Phone):
        return text
    written = str(text).strip() if text is not None else ""
    # phonenumbers reads letters as the keys of a telephone, "8-800-FLOWERS": here they are a slip.
    if (
        not written
        or len(written) > MAX_INPUT_LENGTH
        or any(character.isalpha() for character in written)
    ):
        raise InvalidPhone
    number = _parse(written, region or settings.DEFAULT_REGION)
    if number is None and written.isascii() and written.isdigit():
        number = _parse(f"+{written}", None)
    if number is None:
        raise InvalidPhone
    return Phone(
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    )


def _parse(written: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    return None if number.extension or not phonenumbers.is_valid_number(number) else number


def check_allowed(phone: str) -> None:
    """Raise PrefixNotAllowed unless the canonical ``phone`` begins with one of ALLOWED_PREFIXES."""
    prefixes = settings.ALLOWED_PREFIXES
    if prefixes and not phone.startswith(tuple(prefixes)):
        raise PrefixNotAllowed


def fixed_code(phone: str) -> str | None:
    """The fixed code of a canonical number that is one of TEST_NUMBERS."""
    for written, code in settings.TEST_NUMBERS.items():
        if written == phone or normalize(written) == phone:
            return str(code)
    return None


def national(phone: str) -> str:
    """The whole number as people of its country write it after the code, for the owner's own eyes:
    ``+7 999 123-45-67``.
    """
    try:
        number = phonenumbers.parse(f"+{phone}")
    except phonenumbers.NumberParseException:
        return phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
