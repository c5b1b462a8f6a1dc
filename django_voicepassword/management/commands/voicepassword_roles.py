"""``manage.py voicepassword_roles``: make the groups Support and Owner."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from django_voicepassword.accounts import roles
from django_voicepassword.management.base import AppCommand


class Command(AppCommand):
    help = (
        "Makes the groups Support and Owner with the permissions of this app. Permissions that "
        "they lack are added, and nothing is taken away: it can be run again after an update."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for role in roles.make_roles():
            if role.is_new:
                text = _("%(group)s: made, permissions added: %(count)d")
            else:
                text = _("%(group)s: exists, permissions added: %(count)d")
            self.stdout.write(text % {"group": role.group.name, "count": len(role.added)})
            for permission in role.added:
                self.stdout.write(f"  {permission.codename}: {roles.permission_name(permission)}")
