"""Pages of the call history, each of which begins where the one before ended, however many calls
came meanwhile.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from django.utils import timezone as django_timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from django_voicepassword.history import filters
from django_voicepassword.models import CallRequest
from django_voicepassword.provider.dates import for_field

NEWEST_FIRST, OLDEST_FIRST = "-created_at", "created_at"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: Microseconds since 1970 and the key of a call; so many digits are a date and a key that every
#: database takes.
_POSITION = re.compile(r"(\d{1,17})_(\d{1,18})", re.ASCII)


class CallPagination(CursorPagination):
    """The cursor names the call at the edge of a page, by moment and key.

    That of DRF names a moment and counts the rows from there, up to a thousand: the provider's
    statistics know whole seconds only, and a day without readable dates is one moment.
    """

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = NEWEST_FIRST

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page that ``request`` asks for. Raises ValidationError."""
        self.base_url = request.build_absolute_uri()
        cursor: Any = self.decode_cursor(request)
        newest_first = _ordering(request) == NEWEST_FIRST
        backwards = cursor is not None and cursor.reverse
        size = _page_size(request, self.page_size, self.max_page_size)
        if cursor is not None:
            queryset = filters.after_cursor(
                queryset, *_read(cursor.position), newest_first ^ backwards
            )
        found = list(queryset.order_by(*filters.order(newest_first ^ backwards))[: size + 1])
        more = len(found) > size
        self.page = found[:size][::-1] if backwards else found[:size]
        self.has_next = backwards or more
        self.has_previous = more if backwards else cursor is not None
        return self.page

    def get_next_link(self) -> str | None:
        return self._link(self.page[-1], reverse=False) if self.page and self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self.page[0], reverse=True) if self.page and self.has_previous else None

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Raises ValidationError for what is no cursor of ours."""
        if not request.query_params.get(self.cursor_query_param):
            return None
        try:
            cursor: Any = super().decode_cursor(request)
        except NotFound:
            cursor = None
        if cursor is None or not _POSITION.fullmatch(cursor.position or ""):
            raise ValidationError({self.cursor_query_param: [_("Not a cursor of this list.")]})
        return cursor  # type: ignore[no-any-return]

    def _link(self, call: CallRequest, reverse: bool) -> str:
        position: Any = _position(call)
        return self.encode_cursor(Cursor(offset=0, reverse=reverse, position=position))


def _position(call: CallRequest) -> str:
    moment = call.created_at
    aware = moment if django_timezone.is_aware(moment) else django_timezone.make_aware(moment)
    return f"{(aware - _EPOCH) // timedelta(microseconds=1)}_{call.pk}"


def _read(position: str) -> tuple[datetime, int]:
    microseconds, _, key = position.partition("_")
    return for_field(_EPOCH + timedelta(microseconds=int(microseconds))), int(key)


def _ordering(request: Request) -> str:
    ordering = str(request.query_params.get("ordering") or NEWEST_FIRST)
    if ordering not in (NEWEST_FIRST, OLDEST_FIRST):
        raise ValidationError(
            {"ordering": [_("One of: %(words)s.") % {"words": f"{OLDEST_FIRST}, {NEWEST_FIRST}"}]}
        )
    return ordering


def _page_size(request: Request, usual: int, most: int) -> int:
    written = str(request.query_params.get("page_size") or usual)
    size = int(written) if re.fullmatch(r"\d{1,4}", written, re.ASCII) else 0
    if not 1 <= size <= most:
        raise ValidationError({"page_size": [_("From 1 to %(most)d.") % {"most": most}]})
    return size
