"""URLs of the pages and the callback: ``path("auth/", include("django_voicepassword.urls"))``."""

from django.urls import path

from django_voicepassword.api.callback import CallbackView
from django_voicepassword.web import phones, views

app_name = "voicepassword"

urlpatterns = [
    path("login/", views.LoginView.as_view(), name="login"),
    path("login/code/", views.CodeView.as_view(), name="code"),
    path("login/code/resend/", views.ResendView.as_view(), name="resend"),
    path("login/code/cancel/", views.CancelView.as_view(), name="cancel"),
    path("login/code/state/", views.StateView.as_view(), name="state"),
    path("confirm/", views.ConfirmView.as_view(), name="confirm"),
    path("phones/", phones.PhonesView.as_view(), name="phones"),
    path("phones/add/", phones.AddPhoneView.as_view(), name="phone-add"),
    path("phones/<int:key>/change/", phones.AddPhoneView.as_view(), name="phone-change"),
    path("phones/<int:key>/remove/", phones.RemovePhoneView.as_view(), name="phone-remove"),
    path(
        "phones/devices/<int:key>/forget/", phones.ForgetDeviceView.as_view(), name="forget-device"
    ),
    path("phones/devices/forget/", phones.ForgetOthersView.as_view(), name="forget-others"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("callback/<str:token>/", CallbackView.as_view(), name="callback"),
    # A redirect to the slash would lose the body of the report.
    path("callback/<str:token>", CallbackView.as_view()),
]
