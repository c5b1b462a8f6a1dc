from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

urlpatterns = [
    path("", TemplateView.as_view(template_name="welcome.html"), name="welcome"),
    path("admin/", admin.site.urls),
    path("auth/", include("django_voicepassword.urls")),
    path("api/", include("django_voicepassword.api.urls")),
]
