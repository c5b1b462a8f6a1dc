"""The part of the API that only staff may use: calls, statistics, the balance."""
