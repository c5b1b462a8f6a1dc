"""Guards of promise 6: no key, code or whole number where it does not belong."""

from __future__ import annotations

from tests.faults.guards.guard import Guard

DELIVERY_TESTS = "tests/test_calls_over_http.py"
PAGES = "tests/web/test_promises.py"

_NUMBER = "_NUMBER.sub(lambda match: mask(match[0]), clean_text(masked[: length + 4096]))"
_SENSITIVE = (
    "    return cast(Function, clear_frames_on_error("
    "hidden, unless=lambda: django_settings.DEBUG))\n"
)
_DIGEST = (
    '    return salted_hmac(_DIGEST_SALT, value, secret=secret, algorithm="sha256").hexdigest()\n'
)
_ASK = "        reply = _ask(client, call, code, earlier_call)\n"

SECRETS = [
    Guard(
        "6",
        "clear",
        "the stored digest of a code is the code itself",
        ("tests/test_verifications.py -k nowhere",),
        (("security/codes.py", _DIGEST, "    return str(code)\n"),),
    ),
    Guard(
        "6",
        "log",
        "a code is logged",
        (f"{DELIVERY_TESTS} -k logged",),
        (
            (
                "calls/placing.py",
                _ASK,
                f'        logger.info("asked with the code %s", code)\n{_ASK}',
            ),
        ),
    ),
    Guard(
        "6",
        "report",
        "error reports show local variables",
        (
            f"{PAGES} -k error_report",
            "tests/secrets/test_reports_of_the_database.py -k at_the_start",
        ),
        (("security/sensitive.py", _SENSITIVE, "    return function\n"),),
    ),
    Guard(
        "6",
        "mask",
        "numbers are stored as the provider wrote them",
        ("tests/hostile/test_masking.py -k spelled",),
        (("security/masking.py", _NUMBER, "clean_text(masked)"),),
    ),
    Guard(
        "6",
        "admin",
        "a masked number is the whole number",
        (
            "tests/test_admin.py -k whole_number",
            "tests/api/test_verifications.py -k fields_of_the_contract",
        ),
        (
            (
                "security/masking.py",
                '        return f"{_RUSSIAN}{phone[-2:]}"\n',
                "        return phone\n",
            ),
        ),
    ),
]
