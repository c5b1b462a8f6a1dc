"""Actions in the list of verified phones: release a number, export or erase a person.

Each is for staff with a permission of its own, and is noted in the audit log. What cannot be undone
asks on a page first.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_voicepassword.accounts import person as persons
from django_voicepassword.accounts import releasing
from django_voicepassword.exceptions import LastPhone
from django_voicepassword.models import VerifiedPhone
from django_voicepassword.security import masking
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications import operator_texts

_APP = "django_voicepassword"
#: The template of the page that asks.
_PAGE = "admin/django_voicepassword/verifiedphone/ask.html"
#: The longest reason.
_MOST = 200
#: Numbers that are released at once.
_MOST_ROWS = 50


@method_decorator(sensitive, name="release_numbers")
@method_decorator(sensitive, name="export_person")
@method_decorator(sensitive, name="erase_person")
class PersonActions(admin.ModelAdmin):
    """Mix it into the admin of VerifiedPhone."""

    actions = ("release_numbers", "export_person", "erase_person")

    def has_release_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{_APP}.release_phone"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{_APP}.export_person"))

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{_APP}.erase_person"))

    @admin.action(description=gettext_lazy("Release the chosen numbers"), permissions=["release"])
    def release_numbers(
        self, request: HttpRequest, rows: QuerySet[VerifiedPhone]
    ) -> HttpResponse | None:
        """Take the numbers off their users, once a reason is given."""
        if rows.count() > _MOST_ROWS:
            text = _("Choose at most %(count)d numbers.")
            messages.error(request, text % {"count": _MOST_ROWS})
            return None
        reason = request.POST.get("reason", "").strip()[:_MOST]
        if not reason:
            text = _(
                "Nobody will have these numbers, and whoever proves one next gets it. Make sure "
                "whose they are: the user of a number can no longer log in with it."
            )
            return self._ask(request, rows, "release_numbers", text, asks_for_reason=True)
        released = [row for row in rows if self._release(request, row, reason)]
        if released:
            text = ngettext(
                "%(count)d number released.", "%(count)d numbers released.", len(released)
            )
            messages.success(request, text % {"count": len(released)})
        return None

    def _release(self, request: HttpRequest, row: VerifiedPhone, reason: str) -> bool:
        entry = _("Released: %(reason)s") % {"reason": masking.mask_text(reason, row.phone)}
        key = row.pk
        try:
            releasing.release(row, request.user, reason)
        except LastPhone:
            text = _("%(phone)s: the user model needs a number, so it cannot be released.")
            messages.error(request, text % {"phone": row.masked_phone})
            return False
        # The deleted row has lost its key.
        row.pk = key
        self.log_change(request, row, entry)
        return True

    @admin.action(
        description=gettext_lazy("Export all data of the chosen person"), permissions=["export"]
    )
    def export_person(self, request: HttpRequest, rows: QuerySet[VerifiedPhone]) -> Any:
        """Download the data of one person as JSON, once it is confirmed."""
        row = self._only(request, rows)
        if row is None:
            return None
        if "confirmed" not in request.POST:
            text = _(
                "The file has whole numbers and all that is known of the person. Give it to nobody "
                "else."
            )
            return self._ask(request, rows, "export_person", text)
        person = persons.of_user(row.user_id)
        self.log_change(request, row, _("Exported all data of the person."))
        response = StreamingHttpResponse(
            persons.export(person, request.user), content_type="application/json"
        )
        response["Content-Disposition"] = 'attachment; filename="person.json"'
        return response

    @admin.action(
        description=gettext_lazy("Erase all data of the chosen person"), permissions=["erase"]
    )
    def erase_person(
        self, request: HttpRequest, rows: QuerySet[VerifiedPhone]
    ) -> HttpResponse | None:
        """Erase the data of one person, once it is confirmed."""
        row = self._only(request, rows)
        if row is None:
            return None
        if "confirmed" not in request.POST:
            text = _(
                "This erases the user's numbers, devices and addresses from all tables. Calls stay "
                "without a number. It cannot be undone. It may take a minute: the statistics of "
                "yesterday and today are synced first."
            )
            return self._ask(request, rows, "erase_person", text)
        try:
            done = persons.erase(persons.of_user(row.user_id), request.user)
        except LastPhone:
            messages.error(request, str(persons.NEEDED))
            return None
        self._report(request, done)
        return None

    def _report(self, request: HttpRequest, done: persons.Erasure) -> None:
        text = ngettext("Erased: %(count)d row.", "Erased: %(count)d rows.", done.rows)
        messages.success(request, text % {"count": done.rows})
        for day, error in done.not_synced.items():
            text = _("%(day)s could not be synced before: %(error)s")
            values = {"day": day, "error": operator_texts.error_text(error)}
            messages.warning(request, text % values)
        for name in done.left:
            text = _(
                "The user's field “%(name)s” still holds a number: change it or delete the user."
            )
            messages.warning(request, text % {"name": name})

    def _only(self, request: HttpRequest, rows: QuerySet[VerifiedPhone]) -> VerifiedPhone | None:
        """Return the chosen row; None, with a message, where several users are chosen."""
        users = {row.user_id for row in rows}
        if len(users) > 1:
            messages.error(request, _("Choose the numbers of one person."))
            return None
        return rows.first()

    def _ask(
        self,
        request: HttpRequest,
        rows: QuerySet[VerifiedPhone],
        action: str,
        text: str,
        asks_for_reason: bool = False,
    ) -> HttpResponse:
        """Answer the page that asks, with a form that calls the same action again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": getattr(self, action).short_description,
            "opts": self.opts,
            "text": text,
            "rows": rows,
            "action": action,
            "asks_for_reason": asks_for_reason,
            "is_reason_missing": "confirmed" in request.POST,
            "checkbox": ACTION_CHECKBOX_NAME,
            "most": _MOST,
        }
        return TemplateResponse(request, _PAGE, context)
