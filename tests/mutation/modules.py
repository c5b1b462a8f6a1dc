"""Which tests must notice a change of which module, the quickest first."""

from __future__ import annotations

_CLOCK = "tests/faults/test_clock.py"
_ROUTER = "tests/test_database_router.py"
_LIMITS = (
    "tests/test_limits.py",
    "tests/test_client_ip.py",
    _CLOCK,
    "tests/test_devices.py",
    "tests/test_retention.py",
    _ROUTER,
)
_VERIFICATIONS = (
    "tests/test_verifications.py",
    "tests/test_devices.py",
    _CLOCK,
    "tests/secrets/test_reports_of_the_database.py",
    _ROUTER,
)
_CALLS = (
    "tests/test_call_rows.py",
    "tests/test_callback.py",
    "tests/test_calls_over_http.py",
    _CLOCK,
    _ROUTER,
)
_PROTOCOL = "tests/protocol"

#: Module of the package -> tests, which are run one after the other until one fails.
TESTS: dict[str, tuple[str, ...]] = {
    "security/codes": ("tests/test_codes.py", "tests/test_verifications.py"),
    "security/masking": ("tests/test_masking.py", "tests/test_phones.py", _PROTOCOL),
    "transactions": ("tests/test_transactions.py", _ROUTER),
    "limits/rates": _LIMITS,
    "limits/counters": _LIMITS,
    "limits/budget": _LIMITS,
    "limits/prices": _LIMITS,
    "limits/alarms": _LIMITS,
    "limits/circuit": ("tests/test_circuit.py",),
    "limits/reservations": _LIMITS,
    "limits/plans": _LIMITS,
    "limits/shares": _LIMITS,
    "limits/uses": _LIMITS,
    "limits/usage": _LIMITS,
    "limits/blocks": _LIMITS,
    "limits/returning": _LIMITS,
    "limits/refusals": ("tests/test_refusals.py",),
    "limits/devices": ("tests/test_devices.py",),
    "limits/client_ip": ("tests/test_client_ip.py",),
    "limits/subjects": (
        "tests/test_client_ip.py",
        "tests/test_devices.py",
        "tests/test_verifications.py",
    ),
    "verifications/sending": _VERIFICATIONS,
    "verifications/resending": _VERIFICATIONS,
    "verifications/checking": _VERIFICATIONS,
    "verifications/idempotency": ("tests/test_idempotency.py",),
    "verifications/proofs": ("tests/test_tokens.py", *_VERIFICATIONS),
    "verifications/fixed_codes": (*_VERIFICATIONS, "tests/test_client_ip.py"),
    "verifications/dispatch": ("tests/test_broker.py", *_CALLS),
    "verifications/channels": ("tests/test_verifications.py",),
    "calls/placing": _CALLS,
    "calls/replies": _CALLS,
    "calls/spending": _CALLS,
    "calls/retries": _CALLS,
    "calls/polling": _CALLS,
    "calls/recovery": _CALLS,
    "calls/recording": ("tests/test_call_rows.py", "tests/test_callback.py"),
    "calls/matching": ("tests/test_call_rows.py", "tests/test_callback.py"),
    "provider/protocol/json_decoder": ("tests/protocol/test_json_decoder.py", _PROTOCOL),
    "provider/protocol/replies": ("tests/protocol/test_replies.py", _PROTOCOL),
    "provider/protocol/callbacks": ("tests/protocol/test_callbacks.py", _PROTOCOL),
    "provider/protocol/reports": ("tests/protocol/test_reports.py", _PROTOCOL),
    "provider/protocol/requests": ("tests/protocol/test_requests.py", _PROTOCOL),
    "provider/protocol/daily_rows": ("tests/protocol/test_daily_rows.py", _PROTOCOL),
    "provider/protocol/fields": ("tests/protocol/test_fields.py", _PROTOCOL),
    "provider/protocol/vocabulary": ("tests/protocol/test_vocabulary.py", _PROTOCOL),
}
