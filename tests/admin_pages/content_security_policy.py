"""A middleware with the strictest Content-Security-Policy that Django's own admin works under."""

from __future__ import annotations

from tests.web import content_security_policy

POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)


class StrictPolicyMiddleware(content_security_policy.StrictPolicyMiddleware):
    policy = POLICY
