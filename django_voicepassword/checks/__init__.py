"""System checks: find mistakes in the settings before anybody is called, with a hint for each.

``manage.py check`` and most commands run them; ``check --deploy`` also runs ``check_deployment``.
Importing this package registers all of them.
"""

from django_voicepassword.checks.databases import check_databases, check_privileges
from django_voicepassword.checks.deployment import check_deployment
from django_voicepassword.checks.project import check_project
from django_voicepassword.checks.settings import check_settings
from django_voicepassword.checks.users import check_users

__all__ = [
    "check_databases",
    "check_deployment",
    "check_privileges",
    "check_project",
    "check_settings",
    "check_users",
]
