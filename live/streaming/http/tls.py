"""A certificate for a local network: browsers give their camera to secure pages only."""

from __future__ import annotations

import datetime
import ipaddress
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from face.files import atomic, write_whole
from live.streaming.http.links import lan_addresses

_DAYS = 365


def self_signed(folder: Path, host: str) -> tuple[Path, Path]:
    """Certificate and key for a host, made anew if there are none in the folder; browsers warn once.

    Args:
        folder: where they are kept, readable by the owner only.
        host: address or name that is served on; this machine's names are added.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if certificate.exists() and key.exists() and _good(certificate, host):
        return certificate, key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Head2Head Live")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with atomic(key) as partial:
        partial.touch(mode=0o600)
        partial.write_bytes(secret)
    write_whole(certificate, signed.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _names(host: str) -> list[x509.GeneralName]:
    names = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *lan_addresses()}
    if host not in ("0.0.0.0", "::"):
        names.add(host)
    return [_name(name) for name in sorted(names)]


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _good(certificate: Path, host: str) -> bool:
    """Whether a certificate is valid for another day and names the host."""
    try:
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    return read.not_valid_after_utc > soon and all(name in list(names) for name in _names(host))
