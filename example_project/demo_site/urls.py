from django.urls import include, path

from demo_site import views

urlpatterns = [
    path("", views.front_page, name="welcome"),
    path("call/", views.call, name="call"),
    path("language/", include("django.conf.urls.i18n")),
]
