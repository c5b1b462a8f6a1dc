"""The groups of staff: Support answers customers, Owner also sees money and whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.utils.translation import gettext, gettext_lazy

from django_voicepassword.transactions import atomic_with_retry

SUPPORT, OWNER = "Support", "Owner"
APP = "django_voicepassword"

#: What Django makes for each model: the beginning of the code name, and its name here.
_ACTIONS = {
    "add": gettext_lazy("Can add: %(model)s"),
    "change": gettext_lazy("Can change: %(model)s"),
    "delete": gettext_lazy("Can delete: %(model)s"),
    "view": gettext_lazy("Can view: %(model)s"),
}

#: What whoever answers customers needs: find the call, explain it, help. Numbers stay masked.
_SUPPORT_MAY = (
    "view_callrequest",
    "view_callstatus",
    "view_verification",
    "view_verifiedphone",
    "view_refusedattempt",
    "ask_provider",
    "send_sms",
    "send_voice",
    "cancel_verification",
    "unblock_phone",
    "release_phone",
)
#: What the owner of the account may do besides: whole numbers, money, the guard, a person's data.
_OWNER_MAY = (
    "view_full_phone",
    "view_dailystatistics",
    "view_balancereading",
    "view_fraudtrip",
    "lift_fraudtrip",
    "export_person",
    "erase_person",
)
#: Group -> the code names of its permissions of this app.
PERMISSIONS = {SUPPORT: _SUPPORT_MAY, OWNER: (*_SUPPORT_MAY, *_OWNER_MAY)}


@dataclass(frozen=True)
class Role:
    """A group, and what ``make_roles`` did for it: ``added`` are the permissions that it lacked."""

    group: Group
    is_new: bool
    added: list[Permission]


def make_roles() -> list[Role]:
    """Make the groups of PERMISSIONS, and add the permissions that they lack.

    Nothing is taken away: permissions and people that somebody has added stay. Raises
    ImproperlyConfigured where the database lacks a permission, because it was not migrated.
    """
    database = router.db_for_write(Group)
    known = {
        permission.codename: permission
        for permission in Permission.objects.using(database).filter(content_type__app_label=APP)
    }
    missing = sorted(set(PERMISSIONS[OWNER]) - set(known))
    if missing:
        raise ImproperlyConfigured(
            f"the database has no permission {', '.join(missing)}: run “manage.py migrate” first"
        )
    return [
        atomic_with_retry(partial(_make, name, known, database), database) for name in PERMISSIONS
    ]


def permission_name(permission: Permission) -> str:
    """Return the name of a permission of this app in the active language."""
    model = permission.content_type.model_class()
    action, _, model_name = permission.codename.partition("_")
    if model is None or action not in _ACTIONS or model_name != model._meta.model_name:
        return gettext(permission.name)
    return _ACTIONS[action] % {"model": model._meta.verbose_name_plural}


def _make(name: str, known: dict[str, Permission], database: str) -> Role:
    group, is_new = Group.objects.using(database).get_or_create(name=name)
    has = set(group.permissions.values_list("pk", flat=True))
    added = [known[code] for code in PERMISSIONS[name] if known[code].pk not in has]
    group.permissions.add(*added)
    return Role(group, is_new, added)
