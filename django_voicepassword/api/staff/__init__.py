"""The API for staff: calls, statistics and the balance. Read-only."""
