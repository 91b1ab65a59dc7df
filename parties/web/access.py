"""Who may ask: the API key of a request, the models it is for, and how often it may ask."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from parties.web.api_keys import ApiKey, ApiKeys
from parties.web.problems import ApiError

FAILURES = RateLimitItemPerMinute(60, namespace="failed")
"""Failed authentications from one address; a request with a good key is served whatever else failed."""


class Access:
    """Checks requests against the table of API keys.

    Args:
        keys: the table.
    """

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def authenticate(self, authorization: str | None, address: str) -> ApiKey:
        """Return the key of a request.

        Args:
            authorization: the header of that name.
            address: of the client, for the limit on failures.

        Raises:
            ApiError: no_key, or too_many_requests.
        """
        kind, _, text = (authorization or "").partition(" ")
        barred = not self._limiter.test(FAILURES, address)
        key = self._keys.find(text.strip(), look_again=not barred) if kind.lower() == "bearer" else None
        if key is not None:
            return key
        if not self._limiter.hit(FAILURES, address):
            raise self._too_many(FAILURES, address, "too many requests without a good key from this address")
        if authorization is None:
            detail = "send a key in the header: Authorization: Bearer vfl_..."
        else:
            detail = "this key is unknown or revoked; ask the operator for one"
        raise ApiError("no_key", detail, headers={"WWW-Authenticate": 'Bearer realm="vfl"'})

    def count(self, key: ApiKey) -> None:
        """Count a request of a key; raises ApiError (too_many_requests)."""
        self._keys.mark_used(key)
        limit = RateLimitItemPerSecond(key.rate)
        if not self._limiter.hit(limit, key.id):
            raise self._too_many(limit, key.id, f"this key may send {key.rate} requests a second; send fewer")

    def headers(self, key: ApiKey) -> dict[str, str]:
        """Return what a client may know of its limit (draft-ietf-httpapi-ratelimit-headers)."""
        _, remaining = self._limiter.get_window_stats(RateLimitItemPerSecond(key.rate), key.id)
        return {
            "RateLimit-Policy": f'"second";q={key.rate};w=1',
            "RateLimit": f'"second";r={remaining};t=1',
        }

    def _too_many(self, limit: RateLimitItem, caller: str, detail: str) -> ApiError:
        reset, _ = self._limiter.get_window_stats(limit, caller)
        seconds = max(1, math.ceil(reset - time.time()))
        return ApiError("too_many_requests", detail, headers={"Retry-After": str(seconds)})


def check_scope(key: ApiKey, model: str) -> None:
    """Refuse a model that a key is not for, whether it exists or not; raises ApiError (not_for_this_key)."""
    if not key.allows(model):
        raise ApiError("not_for_this_key", "this key is for other models; ask the operator")
