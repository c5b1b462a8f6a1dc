"""Which tests are to notice a change of which module, the quickest first; and what no test can tell
from what was written.
"""

from __future__ import annotations

_ELSEWHERE = "tests/test_elsewhere.py"

#: Module of the package: tests, which are run one after the other until one fails.
TESTS: dict[str, tuple[str, ...]] = {
    "security/codes": ("tests/test_codes.py", "tests/test_ground.py"),
    "limits/reservations": (
        "tests/test_limits.py",
        "tests/faults/test_clock.py",
        "tests/test_devices.py",
        "tests/test_retention.py",
        _ELSEWHERE,
    ),
    "limits/subjects": ("tests/test_devices.py", "tests/test_verifications.py"),
    "verifications/channels": ("tests/test_verifications.py",),
    "transactions": ("tests/test_transactions.py", _ELSEWHERE),
    "verifications/sending": (
        "tests/test_verifications.py",
        "tests/test_devices.py",
        "tests/faults/test_clock.py",
        "tests/secrets/test_reports_of_the_database.py",
        _ELSEWHERE,
    ),
    "calls/placing": (
        "tests/test_call_rows.py",
        "tests/test_callback.py",
        "tests/test_calls_over_http.py",
        _ELSEWHERE,
    ),
    "calls/matching": ("tests/test_call_rows.py", "tests/test_callback.py"),
    "provider/protocol/json_decoder": ("tests/protocol/test_json_decoder.py", "tests/protocol"),
    "security/masking": ("tests/test_masking.py", "tests/protocol"),
    "provider/protocol/replies": ("tests/protocol/test_replies.py", "tests/protocol"),
    "provider/protocol/reports": ("tests/protocol/test_reports.py", "tests/protocol"),
    "provider/protocol/requests": ("tests/protocol/test_requests.py", "tests/protocol"),
    "provider/protocol/daily_rows": ("tests/protocol/test_daily_rows.py", "tests/protocol"),
    "provider/protocol/fields": ("tests/protocol/test_fields.py", "tests/protocol"),
    "provider/protocol/vocabulary": ("tests/protocol/test_vocabulary.py", "tests/protocol"),
}
