"""All rows of one person: of their numbers, and of their user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from django_voicepassword.limits import client_ip, traces
from django_voicepassword.limits.guard.subjects import block_of
from django_voicepassword.models import (
    CallRequest,
    RefusedAttempt,
    TrustedDevice,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.security import masking

#: Addresses in one query: SQLite limits how many conditions one may have.
_AT_ONCE = 50


@dataclass(frozen=True)
class Person:
    """``phones`` are E.164 digits; ``user_id`` is None where only a number is known."""

    phones: tuple[str, ...] = field(repr=False)
    user_id: Any = None

    @property
    def verifications(self) -> list[QuerySet[Verification]]:
        """Their verifications: of their numbers, and of their user for numbers of others.

        Two querysets, as one with OR could use no index.
        """
        rows = Verification.objects.exclude(phone=masking.ERASED)
        return [rows.filter(phone__in=self.phones), *self._of_user(rows, "user")]

    @property
    def calls(self) -> list[QuerySet[CallRequest]]:
        rows = CallRequest.objects.exclude(phone=masking.ERASED)
        return [rows.filter(phone__in=self.phones), *self._of_user(rows, "verification__user")]

    @property
    def refusals(self) -> QuerySet[RefusedAttempt]:
        return RefusedAttempt.objects.filter(phone__in=self.phones)

    @property
    def devices(self) -> QuerySet[TrustedDevice]:
        return TrustedDevice.objects.filter(self._condition())

    @property
    def verified_phones(self) -> QuerySet[VerifiedPhone]:
        return VerifiedPhone.objects.filter(self._condition())

    def _condition(self) -> Q:
        of_user = Q() if self.user_id is None else Q(user=self.user_id)
        return Q(phone__in=self.phones) | of_user if of_user else Q(phone__in=self.phones)

    def _of_user(self, rows: Any, path: str) -> list[Any]:
        if self.user_id is None:
            return []
        return [rows.exclude(phone__in=self.phones).filter(**{path: self.user_id})]

    def exclusive_addresses(self) -> Iterator[list[str]]:
        """The addresses that only this person used, in parts."""
        for part in _parts(sorted(self._addresses())):
            shared = self._of_others(part)
            yield [address for address in part if address not in shared]

    def exclusive_networks(self, addresses: Iterable[str]) -> list[str]:
        """The networks of these addresses that the guard has noted and that nobody else used."""
        noted = traces.noted_networks(addresses)
        return [one for one in noted if not self._has_neighbours(one)]

    def exclusive_blocks(self) -> list[str]:
        """Those of their numbers in whose block of 10,000 nobody else has one."""
        return [phone for phone in self.phones if not self._has_others(block_of(phone))]

    def _addresses(self) -> set[str]:
        found: set[str] = set()
        for verifications in self.verifications:
            found.update(_distinct(verifications, "ip"))
        for calls in self.calls:
            found.update(_distinct(calls, "counted_address"))
        found.update(_distinct(self.refusals, "address"))
        return found - {client_ip.UNKNOWN}

    def _of_others(self, addresses: list[str]) -> set[str]:
        verifications = self._others(Verification).filter(ip__in=addresses)
        refusals = RefusedAttempt.objects.filter(address__in=addresses)
        of_others = refusals.exclude(phone__in=self.phones)
        return {*_distinct(verifications, "ip"), *_distinct(of_others, "address")}

    def _has_neighbours(self, network: str) -> bool:
        # "192.0.2." of 192.0.2.0/24, "2001:db8:1:" of 2001:db8:1::/48.
        beginning = network.partition("/")[0].removesuffix("0").removesuffix(":")
        beginning += ":" * (":" in network)
        verifications = self._others(Verification).filter(ip__startswith=beginning)
        refusals = RefusedAttempt.objects.filter(address__startswith=beginning)
        return verifications.exists() or refusals.exclude(phone__in=self.phones).exists()

    def _has_others(self, block: str) -> bool:
        # Not LIKE: most collations cannot use the index for it.
        in_block = {"phone__gte": f"{block}0000", "phone__lte": f"{block}9999"}
        return any(
            model._default_manager.filter(**in_block).exclude(phone__in=self.phones).exists()
            for model in (CallRequest, Verification, RefusedAttempt, VerifiedPhone)
        )

    def _others(self, model: type[Verification]) -> QuerySet[Verification]:
        rows = model.objects.exclude(phone__in=self.phones)
        return rows if self.user_id is None else rows.exclude(user=self.user_id)


def _distinct(rows: QuerySet[Any], column: str) -> set[str]:
    """Return the different values of a column, but None and ""."""
    return set(filter(None, rows.order_by().values_list(column, flat=True).distinct()))


def _parts(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
