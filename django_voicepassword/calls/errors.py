"""Our own values of ``CallRequest.error_code``, beside the provider's (its section 4)."""

#: The provider could not be reached before the verification ended: nobody was called.
UNREACHABLE = "unreachable"
#: No answer came: the phone may have rung.
NO_REPLY = "no_reply"
#: The worker was told to stop, or failed, while it waited for the answer.
INTERRUPTED = "interrupted"
#: The worker died while it waited for the answer.
WORKER_LOST = "worker_lost"
#: The broker did not take the task.
NOT_QUEUED = "broker_unavailable"
#: A setting is wrong: the request could not be made.
MISCONFIGURED = "misconfigured"
#: An SMS repeats the code of an earlier call, and the provider took none.
NO_EARLIER_CALL = "no_earlier_call"
#: The reply has no code although the provider was to make one.
NO_CODE = "code_missing"
#: The verification had ended before a worker took the call.
TOO_LATE = "verification_closed"
#: The person asked for the code once more before a worker took the call.
REPLACED = "replaced"
#: The provider refuses the account, so it was not asked.
ACCOUNT_REFUSED = "account_refused"
#: The price rose after the call was queued, and DAILY_BUDGET has no money left for it.
NO_BUDGET = "budget_exhausted"
#: Every poll was made, and none reported a final state.
NO_FINAL_STATE = "no_final_state"
