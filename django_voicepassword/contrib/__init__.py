"""Integrations with other packages and services. Nothing of the app needs them."""
