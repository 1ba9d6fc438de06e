"""Certificates over the years, in virtual time: callers never meet a stranger (docs/spec/admission.md 4)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from webhooks import authority
from webhooks.rotation import BUNDLE, CERTIFICATE, KEY, SIGNING_KEY, Policy, plan

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("hooks.games.svc", "127.0.0.1")
POLICY = Policy(NAMES)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def serving(contents) -> x509.Certificate:
    return x509.load_pem_x509_certificate(contents[CERTIFICATE])


def bundle(contents) -> list[x509.Certificate]:
    return authority.bundle_of(contents[BUNDLE])


def first(now: datetime = START, policy: Policy = POLICY) -> dict[str, bytes]:
    change = plan({}, policy, now, trusted=False)
    assert change is not None
    return dict(change.contents)


def test_an_empty_secret_gets_authority_and_certificate_at_once():
    contents = first()
    assert len(bundle(contents)) == 1
    assert authority.signed(serving(contents), bundle(contents)[0])
    assert authority.names_of(serving(contents)) == set(NAMES)
    assert authority.belongs(serving(contents), contents[KEY])
    assert plan(contents, POLICY, START, trusted=True) is None
    assert plan(contents, POLICY, START, trusted=False) is None


def test_the_certificate_is_renewed_at_two_thirds_of_its_life_by_the_same_authority():
    contents = first()
    due = START + POLICY.certificate_life * 2 / 3
    assert plan(contents, POLICY, due - DAY, trusted=True) is None
    change = plan(contents, POLICY, due + SECOND, trusted=True)
    assert change is not None
    assert change.what == "issued"
    assert change.contents[BUNDLE] == contents[BUNDLE]
    assert change.contents[CERTIFICATE] != contents[CERTIFICATE]


def test_a_change_of_the_authority_takes_three_steps():
    now = START + POLICY.authority_life * 2 / 3 + SECOND
    contents = first()
    young = authority.issue(authority.Pair(contents[BUNDLE], contents[SIGNING_KEY]), NAMES, now - DAY, 100 * DAY)
    contents |= {CERTIFICATE: young.certificate, KEY: young.key}

    joined = plan(contents, POLICY, now, trusted=True)
    assert joined is not None
    assert joined.what == "authority"
    assert len(bundle(joined.contents)) == 2
    assert joined.contents[CERTIFICATE] == contents[CERTIFICATE], "nobody trusts the new authority yet"

    assert plan(joined.contents, POLICY, now + DAY, trusted=False) is None, "not in every configuration"
    assert plan(joined.contents, POLICY, now + SECOND, trusted=True) is None, "API servers may not have seen it"
    issued = plan(joined.contents, POLICY, now + POLICY.settle, trusted=True)
    assert issued is not None
    assert issued.what == "issued"
    assert authority.signed(serving(issued.contents), bundle(issued.contents)[0])
    assert len(bundle(issued.contents)) == 2, "another replica may still serve the old certificate"

    later = now + POLICY.settle + POLICY.overlap
    assert plan(issued.contents, POLICY, later - SECOND, trusted=True) is None
    dropped = plan(issued.contents, POLICY, later + SECOND, trusted=True)
    assert dropped is not None
    assert dropped.what == "dropped"
    assert bundle(dropped.contents) == bundle(issued.contents)[:1]
    assert plan(dropped.contents, POLICY, later + DAY, trusted=True) is None


def test_an_untrusted_authority_is_used_only_when_the_certificate_is_about_to_end():
    policy = Policy(NAMES, authority_life=30 * DAY, certificate_life=30 * DAY)
    contents = first(policy=policy)
    joined = plan(contents, policy, START + 21 * DAY, trusted=True)
    assert joined is not None
    assert plan(joined.contents, policy, START + 28 * DAY, trusted=False) is None
    forced = plan(joined.contents, policy, START + 29 * DAY, trusted=False)
    assert forced is not None
    assert forced.what == "issued"


def test_nobody_ever_meets_a_stranger_in_ten_years():
    """A caller that trusts the bundle of the last pass accepts every certificate served until the next one."""
    policy = Policy(NAMES, settle=4 * DAY, overlap=8 * DAY)
    contents: dict[str, bytes] = {}
    trusted_by_callers = served = b""
    whats = []
    for day in range(0, 3650, 4):
        now = START + day * DAY
        change = plan(contents, policy, now, trusted=bool(contents) and trusted_by_callers == contents[BUNDLE])
        if served:
            _accepted(served, trusted_by_callers, now)
        if change is not None:
            contents = dict(change.contents)
            whats.append(change.what)
            if served:  # one replica serves the new certificate at once, another still the old one
                _accepted(contents[CERTIFICATE], trusted_by_callers, now)
        trusted_by_callers = contents[BUNDLE]
        _accepted(served or contents[CERTIFICATE], trusted_by_callers, now)
        served = contents[CERTIFICATE]
    assert whats.count("authority") >= 4
    assert whats.count("dropped") == whats.count("authority") - 1


def _accepted(certificate: bytes, trusted: bytes, now: datetime) -> None:
    found = x509.load_pem_x509_certificate(certificate)
    assert found.not_valid_before_utc <= now < found.not_valid_after_utc
    assert any(authority.signed(found, a) and a.not_valid_after_utc > now for a in authority.bundle_of(trusted))


def test_a_certificate_never_outlives_its_authority():
    policy = Policy(NAMES, authority_life=10 * DAY, certificate_life=365 * DAY)
    contents = first(policy=policy)
    assert serving(contents).not_valid_after_utc == bundle(contents)[0].not_valid_after_utc


@pytest.mark.parametrize("broken", [CERTIFICATE, KEY])
@pytest.mark.parametrize("value", [b"", b"nonsense", None])
def test_a_broken_certificate_is_issued_again_by_the_same_authority(broken, value):
    contents = first()
    damaged = {k: v for k, v in contents.items() if k != broken} | ({} if value is None else {broken: value})
    change = plan(damaged, POLICY, START, trusted=True)
    assert change is not None
    assert change.what == "issued"
    assert change.contents[BUNDLE] == contents[BUNDLE]


@pytest.mark.parametrize("broken", [BUNDLE, SIGNING_KEY])
def test_a_broken_authority_is_made_anew(broken):
    change = plan({**first(), broken: b"nonsense"}, POLICY, START, trusted=True)
    assert change is not None
    assert change.what == "authority"
    assert authority.belongs(bundle(change.contents)[0], change.contents[SIGNING_KEY])
    assert any(authority.signed(serving(change.contents), a) for a in bundle(change.contents))


def test_a_lost_signing_key_leaves_what_is_served_as_it_is():
    contents = first()
    change = plan({**contents, SIGNING_KEY: b""}, POLICY, START, trusted=True)
    assert change is not None
    assert change.contents[CERTIFICATE] == contents[CERTIFICATE]
    assert len(bundle(change.contents)) == 2


def test_another_name_needs_another_certificate():
    change = plan(first(), Policy((*NAMES, "hooks.other.svc")), START, trusted=True)
    assert change is not None
    assert "hooks.other.svc" in authority.names_of(serving(change.contents))


def test_foreign_keys_of_the_secret_are_kept():
    change = plan({"note": b"by hand"}, POLICY, START, trusted=True)
    assert change is not None
    assert change.contents["note"] == b"by hand"


def test_two_authorities_never_share_a_name():
    names = [
        x509.load_pem_x509_certificate(authority.new_authority(START + i * timedelta(microseconds=1), DAY).certificate)
        for i in range(3)
    ]
    assert all(a.subject != b.subject for a, b in itertools.combinations(names, 2))
