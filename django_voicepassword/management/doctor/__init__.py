"""The probes of ``voicepassword_doctor``. None of them calls anybody or costs money."""

from django_voicepassword.management.doctor.examination import examine
from django_voicepassword.management.doctor.findings import Finding, Level
from django_voicepassword.management.doctor.table import lines

__all__ = ["Finding", "Level", "examine", "lines"]
