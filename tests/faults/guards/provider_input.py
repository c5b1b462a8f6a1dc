"""Guards of promise 5: whatever the provider sends, the app survives it."""

from __future__ import annotations

from tests.faults.guards.guard import Guard

CALLBACKS, DISK, PROVIDERS = (
    "tests/faults/test_callbacks.py",
    "tests/faults/test_disk.py",
    "tests/faults/test_providers.py",
)
CLIENT = "tests/test_client.py"

_WORD = "CALL_STATES.get(word) or SMS_STATES.get(word) or OTHER"
_CALLBACK = "        except (DatabaseError, InterfaceError):\n"

PROVIDER_INPUT = [
    Guard(
        "5",
        "json",
        "an answer that is not JSON is an unhandled error",
        (
            f"{PROVIDERS} -k broken",
            f"{CLIENT} -k unreadable",
            "tests/hostile/test_answers.py -k bytes",
        ),
        (
            (
                "provider/protocol/json_decoder.py",
                "    except (ValueError, RecursionError):\n",
                "    except ZeroDivisionError:\n",
            ),
        ),
    ),
    Guard(
        "5",
        "status",
        "an answer with status 5xx is read like any other",
        (f"{PROVIDERS} -k broken", f"{CLIENT} -k server_error"),
        (
            (
                "provider/client.py",
                "        if response.status_code >= 500:\n",
                "        if False:\n",
            ),
        ),
    ),
    Guard(
        "5",
        "word",
        "an unknown state raises an error",
        (f"{CALLBACKS} -k day_late", "tests/test_callback.py -k only_forward"),
        (
            (
                "provider/protocol/vocabulary.py",
                _WORD,
                "{**CALL_STATES, **SMS_STATES}[word]",
            ),
        ),
    ),
    Guard(
        "5",
        "id",
        "a reply without an id ends the run of polls",
        (f"{PROVIDERS} -k without_an_id",),
        (
            (
                "calls/polling.py",
                "    except ValueError:\n        # The call",
                "    except ZeroDivisionError:\n        # The call",
            ),
        ),
    ),
    Guard(
        "5",
        "callback",
        "an unreachable database gives the provider a 500",
        (f"{DISK} -k limit", "tests/test_callback.py -k database_that_is_gone"),
        (("api/callback.py", _CALLBACK, "        except ZeroDivisionError:\n"),),
    ),
]
