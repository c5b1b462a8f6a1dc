"""Measurements of the app beside floors in the same run. They assert nothing."""
