"""URLconf of a site whose admin of calls exports them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import include, path

from django_voicepassword.admin.calls import CallRequestAdmin
from django_voicepassword.admin.exporting import ExportMixin
from django_voicepassword.models import CallRequest

_HAS_EXPORT: Any = issubclass(CallRequestAdmin, ExportMixin)
_BASES: Any = (CallRequestAdmin,) if _HAS_EXPORT else (ExportMixin, CallRequestAdmin)

site = admin.AdminSite("backoffice")
site.register(CallRequest, type("ExportedAdmin", _BASES, {}))
site.register(get_user_model())

urlpatterns = [
    path("backoffice/", site.urls),
    path("api/", include("django_voicepassword.api.urls")),
]
ADDRESS = "/backoffice/django_voicepassword/callrequest/"
