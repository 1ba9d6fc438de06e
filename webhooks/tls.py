"""The TLS context of the server, whose certificate can be replaced while connections are open."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Final

from operators.kube.tls import load_chain
from webhooks import authority

_MINIMUM_VERSION: Final = ssl.TLSVersion.TLSv1_2


class UnusableCertificate(ValueError):
    """A certificate or key that cannot be served; the one before stays in use."""


class ServedCertificate:
    """One TLS context for the life of the server; each handshake gets the certificate that was loaded last."""

    def __init__(self, client_authority: str | None = None) -> None:
        self._client_authority = client_authority
        self.context = self._new_context()
        self.context.sni_callback = self._choose_context
        self._current: ssl.SSLContext | None = None
        self._loaded: tuple[bytes, bytes] | None = None
        self.expires: datetime | None = None

    def _new_context(self) -> ssl.SSLContext:
        """A context without a certificate, which asks callers for theirs where an authority for them is given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _MINIMUM_VERSION
        if self._client_authority:
            context.load_verify_locations(self._client_authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _choose_context(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
        """Called by the ssl module at the start of each handshake; a number is the alert that ends it."""
        if self._current is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._current
        return None

    def load(self, certificate: bytes, key: bytes) -> bool:
        """Serve this certificate from the next handshake on; False when it already is.

        Raises:
            UnusableCertificate: it cannot be used.
        """
        if self._loaded == (certificate, key):
            return False
        context = self._new_context()
        found = authority.bundle_of(certificate)
        try:
            load_chain(context, certificate, key)
        except (ssl.SSLError, OSError) as error:
            raise UnusableCertificate(f"certificate and key cannot be used: {error}") from error
        if not found:
            raise UnusableCertificate("no certificate in the file")
        self._current, self._loaded, self.expires = context, (certificate, key), found[0].not_valid_after_utc
        return True

    def missing(self, now: datetime | None = None) -> str:
        """What keeps callers from trusting us, "" when nothing does."""
        if self.expires is None:
            return "no certificate yet"
        if self.expires <= (now or datetime.now(UTC)):
            return f"the certificate ended at {self.expires:%Y-%m-%dT%H:%M:%SZ}"
        return ""
