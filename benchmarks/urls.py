"""The app's routes, and those of the floors beside them."""

from django.urls import path

from benchmarks import floors
from tests import urls

urlpatterns = [
    *urls.urlpatterns,
    path("floor/callback/<int:call_id>/", floors.callback),
    path("floor/start/", floors.start),
    path("floor/start/lean/", floors.start_lean),
    path("floor/check/<uuid:verification_id>/", floors.check),
    path("floor/check/<uuid:verification_id>/lean/", floors.check_lean),
    path("floor/login/", floors.log_in),
]
