"""Phone numbers: everywhere in the app E.164 digits without the plus, ``79991234567``."""

from __future__ import annotations

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberType

from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidPhone, PrefixNotAllowed

# Longer than any way to write a number. The parser never gets more text than this from a stranger.
MAX_INPUT_LENGTH = 40

# Numbers that are never called: the caller pays for the service behind them, or for a satellite.
NEVER_CALLED_TYPES = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)
# Inmarsat, global satellites, two "international networks", and international premium rate. No
# country has these codes. The metadata of phonenumbers takes most of them for mobile numbers.
NEVER_CALLED_CODES = (870, 881, 882, 883, 979)


class Phone(str):
    """A phone number in its one spelling: E.164 digits without the plus, ``79991234567``."""

    __slots__ = ()


def normalize(text: object, region: str | None = None) -> Phone:
    """Parse a number as people write it: ``8 (999) 123-45-67`` in region RU is ``79991234567``.

    A number without a country code is one of ``region`` (default DEFAULT_REGION). So is one with a
    plus before the region's own trunk digit, as in ``+8 999 123-45-67``, unless it is a number of
    another country. Digits that are no number of that region are tried as a number with its country
    code, so that the result of this function is always accepted again. Raises InvalidPhone.
    """
    if isinstance(text, Phone):
        return text
    written = str(text).strip() if text is not None else ""
    # phonenumbers would take letters for the keys of a telephone, as in "8-800-FLOWERS".
    if (
        not written
        or len(written) > MAX_INPUT_LENGTH
        or any(character.isalpha() for character in written)
    ):
        raise InvalidPhone
    region = region or settings.DEFAULT_REGION
    number = _parse(written, region)
    if number is None and _has_plus_before_trunk_digit(written, region):
        number = _parse(written.replace("+", "").replace("\uff0b", ""), region)
    if number is None and written.isascii() and written.isdigit():
        number = _parse(f"+{written}", None)
    if number is None:
        raise InvalidPhone
    return Phone(
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    )


def _has_plus_before_trunk_digit(written: str, region: str | None) -> bool:
    """Does a number begin like ``+8`` in Russia, where people dial ``8`` before a number?"""
    metadata = PhoneMetadata.metadata_for_region(region) if region else None
    trunk_digit = metadata.national_prefix if metadata is not None else None
    start, plus, rest = written.replace("\uff0b", "+").partition("+")
    # The plus is the first sign of the number; a bracket may stand before it, as in "(+8)".
    if not trunk_digit or not plus or start not in ("", "("):
        return False
    return rest.lstrip().startswith(trunk_digit)


def _parse(written: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    return None if number.extension or not phonenumbers.is_valid_number(number) else number


def check_allowed(phone: str) -> None:
    """Raise PrefixNotAllowed unless calls to ``phone`` are allowed.

    It must begin with one of ALLOWED_PREFIXES; the error says whether it is a landline instead.
    Premium-rate, shared-cost and satellite numbers are refused whatever ALLOWED_PREFIXES says:
    whoever owns one earns money with each call to it.
    """
    prefixes = settings.ALLOWED_PREFIXES
    if prefixes and not phone.startswith(tuple(prefixes)):
        raise PrefixNotAllowed(is_landline=_is_landline(phone))
    if _is_never_called(phone):
        raise PrefixNotAllowed


def _is_landline(phone: str) -> bool:
    try:
        number = phonenumbers.parse(f"+{phone}")
    except phonenumbers.NumberParseException:
        return False
    # In countries where landlines and mobile phones have the same numbers, the type is another one.
    return phonenumbers.number_type(number) == PhoneNumberType.FIXED_LINE


def _is_never_called(phone: str) -> bool:
    try:
        number = phonenumbers.parse(f"+{phone}")
    except phonenumbers.NumberParseException:
        # A row that was masked, or edited by hand.
        return True
    return (
        number.country_code in NEVER_CALLED_CODES
        or phonenumbers.number_type(number) in NEVER_CALLED_TYPES
    )


def beginnings(digits: str) -> list[str]:
    """Return how a number that is written with these first digits may begin.

    ``8999`` is ``7999`` in the region RU, and so is ``999``; each may also be a country code.
    """
    metadata = PhoneMetadata.metadata_for_region(settings.DEFAULT_REGION or "ZZ")
    if metadata is None:
        return [digits]
    trunk_digit = metadata.national_prefix or ""
    national_digits = digits.removeprefix(trunk_digit) if trunk_digit else digits
    found = [digits, f"{metadata.country_code}{national_digits}"]
    return sorted({beginning for beginning in found if len(beginning) <= 15})


def operator_prefix(phone: str) -> str:
    """Return the country code and area code of ``phone``, which stand for its operator.

    They are four digits in Russia and Kazakhstan (``7999``). For all other countries it is the
    first five digits.
    """
    return phone[:4] if phone.startswith("7") else phone[:5]


def fixed_code(phone: str) -> str | None:
    """The fixed code of ``phone`` if it is one of TEST_NUMBERS."""
    for written, code in settings.TEST_NUMBERS.items():
        if written == phone or normalize(written) == phone:
            return str(code)
    return None


def national(phone: str) -> str:
    """The whole number with its country code, as people write it: ``+7 999 123-45-67``.

    For the owner of the number and for users who may see whole numbers.
    """
    try:
        number = phonenumbers.parse(f"+{phone}")
    except phonenumbers.NumberParseException:
        return phone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
