"""The people who may log in to the demo's admin: an owner and a clerk of the support.

Their passwords are made at the first start. The demo prints them and shows them on its front page.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from django_voicepassword.accounts import roles

#: User name -> the group.
GROUPS = {"owner": "Owner", "clerk": "Support"}


def passwords() -> dict[str, str]:
    """Return user name -> password; an empty dict where the users have not been made."""
    try:
        stored: dict[str, str] = json.loads(_path().read_text())
    except FileNotFoundError:
        return {}
    return stored


def make() -> dict[str, str]:
    """Make the users, or give them their stored passwords back; return the passwords."""
    known = passwords() or {name: secrets.token_hex(5) for name in GROUPS}
    path = _path()
    path.touch(mode=0o600)
    path.write_text(json.dumps(known))
    roles.make_roles()
    for name, group in GROUPS.items():
        user, _ = get_user_model()._default_manager.get_or_create(
            username=name, defaults={"is_staff": True}
        )
        if not user.check_password(known[name]):
            user.set_password(known[name])
            user.save()
        user.groups.set([Group.objects.get(name=group)])
    return known


def _path() -> Path:
    # mypy reads the settings of the tests, which have no VAR.
    return Path(settings.VAR) / "passwords.json"  # type: ignore[misc]
