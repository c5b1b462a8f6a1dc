"""Which numbers a text means: a whole number, the end or the beginning of one.

An index answers each condition.
"""

from __future__ import annotations

from django.db.models import Q

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone
from django_voicepassword.history.reader import Reader
from django_voicepassword.history.texts import clean

#: A text of this many digits is a whole number.
_WHOLE = 10
#: The fewest digits of an ending, and of a beginning.
_ENDING, _BEGINNING = 2, 4
#: Characters that people write between the digits of a number. An exported file has an apostrophe
#: before the plus.
_SEPARATORS = str.maketrans("", "", "+ ()-.'\u00a0\u2011\u2013")
#: The length of the field ``phone_ending``: the longest ending that anybody may search for.
_LONGEST_ENDING = 4
#: The length of the field ``phone``.
_LONGEST_NUMBER = 15


def digits_of(text: str) -> str:
    """Return the digits of a text that is a number or a part of one; "" for any other text.

    Of a masked number they are its visible end: ``+7 *** ***-**-67`` becomes ``67``.
    """
    digits = text.rpartition("*")[2].translate(_SEPARATORS)
    return digits if digits.isascii() and digits.isdigit() else ""


def whole_number(text: str) -> str | None:
    """Return the canonical form of the number ``text``; None where it is not a whole number."""
    text = clean(text)
    if not digits_of(text):
        return None
    try:
        return phones.normalize(text)
    except InvalidPhone:
        return None


def number_of(text: str) -> str | None:
    """Return the number that ``text`` is; None where it is no whole number.

    An invalid number of ten digits or more is returned as it is: it may be imported.
    """
    digits, number = digits_of(text), whole_number(text)
    return digits if number is None and len(digits) >= _WHOLE else number


def noted_number(text: str, reader: Reader) -> str | None:
    """Return what ``number_of`` returns, and note the search. Raises RateLimited."""
    number = number_of(text)
    if number is not None:
        reader.note_search()
    return number


def condition(text: str, reader: Reader) -> Q:
    """Return the condition for the numbers that end with the digits of ``text``.

    A reader who sees whole numbers finds them by their beginning too: by four digits after a plus,
    or by five. With endings of any length, or with beginnings, another reader could learn a whole
    number digit by digit.
    """
    digits = digits_of(text)
    has_plus = "*" not in text and text.lstrip("'( ").startswith("+")
    if reader.sees_whole_numbers and has_plus:
        return _by_beginning(digits)
    condition = _by_ending(digits, reader)
    if reader.sees_whole_numbers and len(digits) > _LONGEST_ENDING:
        condition |= _by_beginning(digits)
    return condition


def _by_ending(digits: str, reader: Reader) -> Q:
    longest = _WHOLE if reader.sees_whole_numbers else _LONGEST_ENDING
    if not _ENDING <= len(digits) <= longest:
        return Q(pk__in=[])
    ending = digits[::-1][:_LONGEST_ENDING]
    if len(digits) < _LONGEST_ENDING:
        last = _last_with_prefix(ending, _LONGEST_ENDING)
        return Q(phone_ending__gte=ending, phone_ending__lte=last)
    same_ending = Q(phone_ending=ending)
    # The index narrows the search to four digits; the other ones are compared row by row.
    return same_ending & Q(phone__endswith=digits) if len(digits) > _LONGEST_ENDING else same_ending


def _by_beginning(digits: str) -> Q:
    if not _BEGINNING <= len(digits) <= _LONGEST_NUMBER:
        return Q(pk__in=[])
    condition = Q(pk__in=[])
    for beginning in phones.beginnings(digits):
        last = _last_with_prefix(beginning, _LONGEST_NUMBER)
        condition |= Q(phone__gte=beginning, phone__lte=last)
    return condition


def _last_with_prefix(digits: str, longest: int) -> str:
    """Return the last number that begins with ``digits``: the end of the range of an index scan.

    The end is a number too. A character after the 9, such as the colon in ASCII, would not do: in
    the collation of most languages it sorts before the digits.
    """
    return digits.ljust(longest, "9")
