"""Projects with custom user models.

Each runs in its own process, because AUTH_USER_MODEL cannot change within one.
"""
