"""Measurements, each beside a floor of the same run. They assert nothing."""
