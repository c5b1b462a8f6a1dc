"""The groups Support and Owner: what their people see, and that nothing is taken from a group."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.test import Client

from django_voicepassword.accounts import roles
from django_voicepassword.models import CallRequest

pytestmark = pytest.mark.django_db

CALLS = "/admin/django_voicepassword/callrequest/"
DASHBOARD = "/admin/django_voicepassword/dashboard/"
PROTECTION = "/admin/django_voicepassword/protection/"


def make_roles() -> str:
    out = StringIO()
    call_command("voicepassword_roles", stdout=out)
    return out.getvalue()


def logged_in(role: str) -> Client:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def codes(role: str) -> set[str]:
    group = Group.objects.get(name=role)
    return set(group.permissions.values_list("codename", flat=True))


def test_support_sees_masked_numbers_and_no_money() -> None:
    make_roles()
    CallRequest.objects.create(phone="79991234567", channel="flashcall")
    client = logged_in(roles.SUPPORT)
    page = client.get(CALLS).content.decode()
    assert "+7 *** ***-**-67" in page
    assert "234567" not in page
    assert client.get(DASHBOARD).status_code == 403
    assert client.get(PROTECTION).status_code == 403


def test_the_owner_sees_whole_numbers_and_money() -> None:
    make_roles()
    CallRequest.objects.create(phone="79991234567", channel="flashcall")
    client = logged_in(roles.OWNER)
    assert "+7 999 123-45-67" in client.get(CALLS).content.decode().replace("\xa0", " ")
    assert client.get(DASHBOARD).status_code == 200
    assert client.get(PROTECTION).status_code == 200
    assert codes(roles.SUPPORT) < codes(roles.OWNER)


def test_a_second_run_adds_what_is_lacking_and_takes_nothing_away() -> None:
    first = make_roles()
    assert "Support: made, permissions added: 11\n" in first
    assert "  send_sms: Can send the code by SMS\n" in first
    assert f"Owner: made, permissions added: {len(codes(roles.OWNER))}\n" in first
    group = Group.objects.get(name=roles.SUPPORT)
    group.permissions.add(Permission.objects.get(codename="view_user"))
    group.permissions.remove(Permission.objects.get(codename="send_sms"))
    person = User.objects.create_user("anna")
    person.groups.add(group)
    assert make_roles() == (
        "Support: exists, permissions added: 1\n"
        "  send_sms: Can send the code by SMS\n"
        "Owner: exists, permissions added: 0\n"
    )
    assert {"view_user", "send_sms"} <= codes(roles.SUPPORT)
    assert person.groups.get() == group


def test_the_admin_shows_permissions_in_the_language_of_the_page(admin_client: Client) -> None:
    make_roles()
    group = Group.objects.get(name=roles.SUPPORT)
    address = f"/admin/auth/group/{group.pk}/change/"
    page = admin_client.get(address, headers={"accept-language": "ru"}).content.decode()
    assert ">Может отправлять код по SMS | Подтверждение телефона</option>" in page
    assert ">Может просматривать: звонки и SMS | Подтверждение телефона</option>" in page
    page = admin_client.get(address).content.decode()
    assert ">Can send the code by SMS | Phone verification</option>" in page
    assert ">Can view: call requests | Phone verification</option>" in page
    # The rows keep Django's names, and other apps their texts.
    assert Permission.objects.get(codename="view_callrequest").name == "Can view call request"
    assert "| Can view user</option>" in page


def test_a_database_without_the_permissions_is_told_to_migrate() -> None:
    Permission.objects.filter(codename="lift_fraudtrip").delete()
    with pytest.raises(
        CommandError, match=r"no permission lift_fraudtrip: run “manage\.py migrate"
    ):
        make_roles()
    assert not Group.objects.exists()
