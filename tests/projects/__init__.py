"""Host projects whose users are of their own making; each is run in a process, as AUTH_USER_MODEL
is chosen once.
"""
