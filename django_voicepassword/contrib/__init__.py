"""Integrations with other packages. Each module needs an extra of this package."""
