"""The permissions of this app in the active language, on the admin pages of users and groups.

Django writes the name of a permission into its row when it migrates, in English, and its admin
shows that text. It has no hook for another one, so ``Permission.__str__`` is replaced: it answers
for the permissions of this app, and leaves all others and every row as they are.
"""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import Permission

from django_voicepassword.accounts import roles

_stored_text = Permission.__str__


def _text(permission: Permission) -> str:
    if permission.content_type.app_label != roles.APP:
        return _stored_text(permission)
    # The name comes first: Django's list is narrow, and cuts the end off.
    app = apps.get_app_config(roles.APP).verbose_name
    return f"{roles.permission_name(permission)} | {app}"


Permission.__str__ = _text  # type: ignore[method-assign, assignment]
