"""The routes of the app, and those of the floors."""

from django.apps import apps
from django.urls import include, path

from benchmarks import floors, lean_floors
from tests import urls

urlpatterns = [
    *urls.urlpatterns,
    path("floor/callback/<int:call_id>/", floors.callback),
    path("floor/start/", floors.start),
    path("floor/check/<uuid:verification_id>/", floors.check),
    path("floor/login/", floors.log_in),
    path("lean-floor/callback/<int:call_id>/", lean_floors.callback),
    path("lean-floor/start/", lean_floors.start),
    path("lean-floor/check/<uuid:challenge_id>/", lean_floors.check),
    path("lean-floor/login/", lean_floors.log_in),
]
if apps.is_installed("phone_verify"):
    urlpatterns.append(path("peers/", include("benchmarks.peer_site")))
