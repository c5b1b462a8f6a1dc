"""The URLs of a project that has a page at Django's default for LOGIN_REDIRECT_URL."""

from django.http import HttpResponse
from django.urls import path

from tests.urls import urlpatterns as of_the_tests

urlpatterns = [*of_the_tests, path("accounts/profile/", lambda request: HttpResponse("mine"))]
