"""URLs of the API: ``path("api/phone/", include("django_voicepassword.api.urls"))``."""

from django.urls import path

from django_voicepassword.api import views
from django_voicepassword.api.own import views as own
from django_voicepassword.api.staff import views as staff

app_name = "voicepassword-api"

urlpatterns = [
    path("verifications/", views.StartView.as_view(), name="verification-list"),
    path("verifications/<str:id>/", views.VerificationView.as_view(), name="verification-detail"),
    path("verifications/<str:id>/resend/", views.ResendView.as_view(), name="verification-resend"),
    path("verifications/<str:id>/check/", views.CheckView.as_view(), name="verification-check"),
    path("login/", views.LoginView.as_view(), name="login"),
    path("phones/", own.PhonesView.as_view(), name="phone-list"),
    path("phones/<str:id>/", own.PhoneView.as_view(), name="phone-detail"),
    path("devices/", own.DevicesView.as_view(), name="device-list"),
    path("devices/<str:id>/", own.DeviceView.as_view(), name="device-detail"),
    path("calls/", staff.CallsView.as_view(), name="call-list"),
    path("calls/<str:id>/", staff.CallView.as_view(), name="call-detail"),
    path("statistics/", staff.StatisticsView.as_view(), name="statistics"),
    path("balance/", staff.BalanceView.as_view(), name="balance"),
]
