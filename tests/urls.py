"""A host project's routes, as the README shows them."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("auth/", include("django_voicepassword.urls")),
    path("api/", include("django_voicepassword.api.urls")),
]
