"""When certificates change, and in which order: decided from what the Secret holds, and nothing else.

An API server trusts what the ``caBundle`` of a webhook configuration says, and each replica serves what it last read.
So that no review ever meets a stranger, a change of the authority takes three steps, each after the one before is known
to have reached everybody:

1. the new authority joins the bundle; what is served stays as it is;
2. once every configuration carries the bundle, and API servers had time to see it, a certificate by the new authority
   is served;
3. once every replica had time to serve it, the old authority leaves the bundle.

Where the steps stand follows from the certificates themselves, so any replica may take the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from webhooks import authority
from webhooks.authority import Pair

#: Keys of the Secret. The bundle's first authority is the newest, and ``ca.key`` is its key.
BUNDLE, SIGNING_KEY, CERTIFICATE, KEY = "ca.crt", "ca.key", "tls.crt", "tls.key"
#: A certificate is renewed at this share of its life, and must be replaced, trusted or not, at the other.
_RENEW: Final = 2 / 3
_LAST: Final = 0.95


@dataclass(frozen=True, slots=True)
class Policy:
    """Names the certificate is for, how long certificates live, and how long a step is waited for."""

    names: tuple[str, ...]
    authority_life: timedelta = timedelta(days=3 * 365)
    certificate_life: timedelta = timedelta(days=365)
    settle: timedelta = timedelta(minutes=1)
    overlap: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Change:
    """What the Secret should hold now, and what was done: ``authority``, ``issued`` or ``dropped``."""

    what: str
    contents: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class _Held:
    """What is usable of a Secret at a moment."""

    authorities: list[x509.Certificate]
    ended: int
    signer: Pair | None
    serving: x509.Certificate | None


def _held(contents: Mapping[str, bytes], policy: Policy, now: datetime) -> _Held:
    every = authority.bundle_of(contents.get(BUNDLE, b""))
    living = [c for c in every if c.not_valid_after_utc > now]
    signing = contents.get(SIGNING_KEY, b"")
    signer = None
    if living and authority.belongs(living[0], signing):
        signer = Pair(authority.pem_of(living[:1]), signing)
    return _Held(living, len(every) - len(living), signer, _serving(contents, living, policy, now))


def _serving(
    contents: Mapping[str, bytes], authorities: list[x509.Certificate], policy: Policy, now: datetime
) -> x509.Certificate | None:
    found = authority.bundle_of(contents.get(CERTIFICATE, b""))[:1]
    for certificate in found:
        if (
            certificate.not_valid_after_utc > now
            and authority.belongs(certificate, contents.get(KEY, b""))
            and set(policy.names) <= authority.names_of(certificate)
            and any(authority.signed(certificate, a) for a in authorities)
        ):
            return certificate
    return None


def plan(contents: Mapping[str, bytes], policy: Policy, now: datetime, *, trusted: bool) -> Change | None:
    """The next step, None when there is none to take.

    ``trusted``: every webhook configuration is known to carry the bundle that ``contents`` holds.
    """
    held = _held(contents, policy, now)
    if held.signer is None or authority.age(held.authorities[0], now) >= _RENEW:
        signer = authority.new_authority(now, policy.authority_life)
        joined = [*authority.bundle_of(signer.certificate), *held.authorities]
        fresh = {**contents, BUNDLE: authority.pem_of(joined), SIGNING_KEY: signer.key}
        if held.serving is None:
            fresh |= _issued(signer, policy, now)
        return Change("authority", fresh)
    if _due(held, policy, now, trusted=trusted):
        bundle = {BUNDLE: authority.pem_of(held.authorities)}
        return Change("issued", {**contents, **bundle, **_issued(held.signer, policy, now)})
    return _dropped(held, contents, policy, now)


def _issued(signer: Pair, policy: Policy, now: datetime) -> dict[str, bytes]:
    pair = authority.issue(signer, policy.names, now, policy.certificate_life)
    return {CERTIFICATE: pair.certificate, KEY: pair.key}


def _due(held: _Held, policy: Policy, now: datetime, *, trusted: bool) -> bool:
    """Whether another certificate is to be served."""
    if held.serving is None:
        return True
    age = authority.age(held.serving, now)
    newest = held.authorities[0]
    if authority.signed(held.serving, newest):
        return age >= _RENEW
    settled = now >= authority.created(newest) + policy.settle
    return (trusted and settled) or age >= _LAST


def _dropped(held: _Held, contents: Mapping[str, bytes], policy: Policy, now: datetime) -> Change | None:
    """The third step, and authorities that ended."""
    kept = held.authorities
    if held.serving is not None and authority.signed(held.serving, kept[0]):
        replaced = now >= authority.created(held.serving) + policy.overlap
        kept = kept[:1] if replaced else kept
    if held.ended or len(kept) < len(held.authorities):
        return Change("dropped", {**contents, BUNDLE: authority.pem_of(kept)})
    return None
