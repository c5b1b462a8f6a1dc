"""The pages of the example without its Celery app."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("demo_site.urls")),
    path("admin/", admin.site.urls),
    path("auth/", include("django_voicepassword.urls")),
]
