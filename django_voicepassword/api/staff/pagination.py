"""Pages of the call history that do not shift while calls are added or deleted."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, cast

from django.db.models import QuerySet
from django.utils import timezone as django_timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from django_voicepassword.history import filters
from django_voicepassword.models import CallRequest
from django_voicepassword.provider.dates import for_field

NEWEST_FIRST, OLDEST_FIRST = "-created_at", "created_at"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: Microseconds since 1970 and the key of a call. The number of digits is limited to dates that
#: Python and keys that every database can represent.
_POSITION = re.compile(r"(\d{1,17})_(\d{1,18})", re.ASCII)


class CallPagination(CursorPagination):
    """The cursor names the call at the edge of a page by moment and key.

    DRF's own cursor is a moment and an offset, at most 1000, among the rows of that moment. That
    is not enough here: the provider's statistics have whole seconds only, and all rows of a day
    without readable dates share one moment.
    """

    page_size: int = 50
    page_size_query_param = "page_size"
    max_page_size: int = 500
    ordering = NEWEST_FIRST

    def paginate_queryset(  # type: ignore[override] # of one model, not of any
        self, queryset: QuerySet[CallRequest], request: Request, view: APIView | None = None
    ) -> list[CallRequest]:
        """Return the rows of the requested page. Raises ValidationError."""
        self.base_url = request.build_absolute_uri()
        cursor = self.decode_cursor(request)
        newest_first = _read_ordering(request) == NEWEST_FIRST
        backwards = cursor is not None and cursor.reverse
        size = _read_page_size(request, self.page_size, self.max_page_size)
        if cursor is not None:
            queryset = filters.after_cursor(
                queryset, *_parse_position(str(cursor.position)), newest_first ^ backwards
            )
        # One row more than the page: it shows whether another page follows.
        rows = list(queryset.order_by(*filters.order(newest_first ^ backwards))[: size + 1])
        has_more = len(rows) > size
        self.page = rows[:size][::-1] if backwards else rows[:size]
        self.has_next = backwards or has_more
        self.has_previous = has_more if backwards else cursor is not None
        return self.page

    def get_next_link(self) -> str | None:
        return self._link(self.page[-1], reverse=False) if self.page and self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self.page[0], reverse=True) if self.page and self.has_previous else None

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the cursor, None without one. Raises ValidationError for any other text."""
        if not request.query_params.get(self.cursor_query_param):
            return None
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            cursor = None
        if cursor is None or not _POSITION.fullmatch(str(cursor.position or "")):
            raise ValidationError({self.cursor_query_param: [_("Not a cursor of this list.")]})
        return cursor

    def _link(self, call: CallRequest, reverse: bool) -> str:
        # The stubs want an integer, but DRF passes the position on as text.
        position = cast(Any, _format_position(call))
        return self.encode_cursor(Cursor(offset=0, reverse=reverse, position=position))


def _format_position(call: CallRequest) -> str:
    moment = call.created_at
    aware = moment if django_timezone.is_aware(moment) else django_timezone.make_aware(moment)
    return f"{(aware - _EPOCH) // timedelta(microseconds=1)}_{call.pk}"


def _parse_position(position: str) -> tuple[datetime, int]:
    microseconds, _separator, key = position.partition("_")
    return for_field(_EPOCH + timedelta(microseconds=int(microseconds))), int(key)


def _read_ordering(request: Request) -> str:
    ordering = str(request.query_params.get("ordering") or NEWEST_FIRST)
    if ordering not in (NEWEST_FIRST, OLDEST_FIRST):
        raise ValidationError(
            {"ordering": [_("One of: %(words)s.") % {"words": f"{OLDEST_FIRST}, {NEWEST_FIRST}"}]}
        )
    return ordering


def _read_page_size(request: Request, default: int, maximum: int) -> int:
    text = str(request.query_params.get("page_size") or default)
    size = int(text) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else 0
    if not 1 <= size <= maximum:
        raise ValidationError({"page_size": [_("From 1 to %(most)d.") % {"most": maximum}]})
    return size
