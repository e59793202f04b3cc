"""What encrypts the way in and out: a server's certificate, what is wrong with it, what browsers are told.

TLS 1.2 or newer (RFC 9325, section 3.1.1). Browsers that have come over it once are told to come in no other
way (HSTS, RFC 6797), and only there: a header that came in clear could be anybody's (section 8.1).
"""

from __future__ import annotations

import ssl
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from consent_filter.errors import Misconfigured

#: What is refused in clear: nothing; what carries an id of somebody; everything.
HTTPS_ONLY = ("no", "identified", "all")
#: Days before its end by which a certificate should have been renewed: enough to find out why it was not.
_SOON = 14
_HSTS = b"strict-transport-security"


def settle(table: str, certificate: str, key: str, hsts_days: int) -> None:
    """Raises Misconfigured where the settings of that table do not fit each other."""
    if bool(certificate) != bool(key):
        name = "key" if certificate else "certificate"
        raise Misconfigured(f"{table}.{name}", "", "a path: a certificate and its key belong together")
    if not 0 <= hsts_days <= 730:
        raise Misconfigured(f"{table}.hsts_days", hsts_days, "0 to 730 days; 0 says nothing to browsers")


def hsts(days: int) -> tuple[bytes, bytes] | None:
    """The header of an answer that goes out encrypted; None for 0 days. Of this host alone: another name
    below it may be somebody else's."""
    return (_HSTS, b"max-age=%d" % (days * 86_400)) if days else None


class Certificate:
    """A certificate with its chain, and its key, as PEM files, and what a server makes of both."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises Misconfigured where they cannot be used together."""
        self._files = certificate, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        self._seen = self._written()
        try:
            self._load()
        except (OSError, ssl.SSLError):
            says = next((says for says, mend in faults(certificate, key) if mend), "it cannot be used")
            raise Misconfigured("certificate", str(certificate), f"a PEM file with its key: {says}") from None

    def renew(self) -> bool:
        """Take the files up again where they have changed; whether they were. New connections have the new
        certificate. Files that don't fit each other (yet) leave the old one in use."""
        written = self._written()
        if written == self._seen:
            return False
        try:
            self._load()
        except (OSError, ssl.SSLError):
            return False
        self._seen = written
        return True

    def _load(self) -> None:
        # Without the password a key that has one would be asked for on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files, password="")
        self.context.load_cert_chain(*self._files, password="")

    def _written(self) -> tuple[int, ...]:
        try:
            return tuple(file.stat().st_mtime_ns for file in self._files)
        except OSError:
            return ()


def faults(certificate: Path, key: Path, now: float | None = None) -> Iterator[tuple[str, str]]:
    """What a certificate and its key are, and how to mend what is wrong with it ("" where nothing is)."""
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    found = _certificate(certificate)
    if found is None:
        yield (
            f"{certificate} is no certificate that can be read",
            "name a PEM file: the certificate, then its chain",
        )
    else:
        ends = found.not_valid_after_utc
        mend = ""
        if ends <= moment:
            says, mend = f"{certificate} has ended on {ends:%Y-%m-%d}", "renew it: browsers refuse to come"
        elif found.not_valid_before_utc > moment:
            says = f"{certificate} begins on {found.not_valid_before_utc:%Y-%m-%d}"
            mend = "set the clock, or use another until then"
        else:
            says = f"{certificate} lasts until {ends:%Y-%m-%d}"
            if ends - moment < timedelta(days=_SOON):
                mend = "renew it; it is taken up without a restart"
        yield says, mend
    try:
        mode, data = stat.S_IMODE(key.stat().st_mode), key.read_bytes()
    except OSError:
        yield f"{key} cannot be read", "name the PEM file of the certificate's key"
        return
    try:
        public = load_pem_private_key(data, None).public_key()
    except (ValueError, TypeError):  # no key; one with a password
        yield f"{key} is no key without a password", "name the PEM file of the certificate's key"
        return
    if found is not None and _spelt(public) != _spelt(found.public_key()):
        yield f"{key} is not the key of {certificate}", "name the one that the certificate was asked for with"
    yield f"{key} has mode {mode:o}", f"chmod 600 {key}" if mode & 0o077 else ""


def _certificate(file: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())[0]
    except (OSError, ValueError):
        return None


def _spelt(key: object) -> bytes:
    spelt: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return spelt
