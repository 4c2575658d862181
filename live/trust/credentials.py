"""C2PA content credentials of recordings: a signed manifest that says the video was generated.

Needs ``c2pa-python`` (``pip install 'head2head-live[c2pa]'``). Without a certificate of the user's one is made for
tests: readers then say that the signer is unknown, but still see whether the file was changed.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from face.errors import UserError
from face.files import atomic, write_whole

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_DAYS = 365


@dataclass(frozen=True)
class Credentials:
    """What a file's manifest says.

    Attributes:
        state: ``trusted``, ``valid`` (unchanged since it was signed, by a signer who is not on the trust list) or
            ``invalid`` (changed, or badly signed).
        signer: who signed, as the certificate says.
        generated: whether it declares a synthetic video.
        session_id: of the session, as in the watermark; ``None`` if it says none.
    """

    state: str
    signer: str | None
    generated: bool
    session_id: str | None


def _library() -> Any:
    try:
        import c2pa
    except ImportError:
        raise UserError("C2PA needs a package that is not here: pip install 'head2head-live[c2pa]'.") from None
    return c2pa


def read_credentials(path: Path) -> Credentials | None:
    """The active manifest of a file; ``None`` where it has none, or is of a kind that carries none.

    Raises:
        UserError: ``c2pa-python`` is not installed.
    """
    c2pa = _library()
    try:
        reader = c2pa.Reader.try_create(str(path))
    except c2pa.C2paError:  # no format that C2PA knows
        return None
    if reader is None:
        return None
    with reader:
        state, manifest = reader.get_validation_state(), reader.get_active_manifest() or {}
    signature = manifest.get("signature_info", {})
    assertions = {a["label"].split(".v")[0]: a["data"] for a in manifest.get("assertions", [])}
    actions = assertions.get("c2pa.actions", {}).get("actions", [])
    return Credentials(
        str(state).lower(),
        signature.get("common_name") or signature.get("issuer"),
        any(action.get("digitalSourceType") == SOURCE_TYPE for action in actions),
        assertions.get("org.head2head.session", {}).get("session_id"),
    )


def check_signing(certificate: Path, key: Path) -> None:
    """See that recordings can be signed, before anything is recorded.

    Raises:
        UserError: ``c2pa-python`` is missing, a file cannot be read, or certificate and key do not match.
    """
    _library()
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"Cannot read the certificate {certificate} and its key {key} as PEM: {error}.") from None
    if chain[0].public_key() != private.public_key():
        raise UserError(f"The certificate {certificate} does not match the key {key}: give the right two.")
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise UserError(f"The key {key} cannot sign recordings: one on the curve P-256 is needed.")


def sign(path: Path, session_id: str, certificate: Path, key: Path) -> None:
    """Sign a finished recording (MP4 or MOV) in place, atomically.

    Raises:
        UserError: it cannot be signed; it is left as it was.
    """
    c2pa = _library()
    manifest = {
        "claim_generator_info": [{"name": "Head2Head Live"}],
        "title": path.name,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [
                {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE,
                 "softwareAgent": {"name": "Head2Head Live"}},
            ]}},
            {"label": "org.head2head.session", "data": {"session_id": session_id}},
        ],
    }  # fmt: skip
    info = c2pa.C2paSignerInfo(b"es256", certificate.read_bytes(), key.read_bytes(), None)
    try:
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(manifest)) as builder:
            with atomic(path) as partial, path.open("rb") as source, partial.open("w+b") as signed:
                builder.sign(signer, "video/mp4", source, signed)
    except c2pa.C2paError as error:
        raise UserError(f"The recording {path} could not be signed ({error}): it is there, unsigned.") from None


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A test certificate and its key, made anew if the folder has none that is valid for another day."""
    certificate, key = folder / "c2pa_certificate.pem", folder / "c2pa_key.pem"
    now = datetime.datetime.now(datetime.UTC)
    if certificate.exists() and key.exists():
        kept = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        if kept.not_valid_after_utc > now + datetime.timedelta(days=1):
            return certificate, key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("Head2Head Live test root", root_key, None, now)
    leaf = _certificate("Head2Head Live test certificate", leaf_key, (root, root_key), now)
    with atomic(key) as partial:
        partial.touch(mode=0o600)
        partial.write_bytes(leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))  # fmt: skip
    write_whole(certificate, b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (leaf, root)))
    return certificate, key


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    now: datetime.datetime,
) -> x509.Certificate:  # fmt: skip
    """A root for itself, or a certificate of what C2PA asks of signers: critical key usage, an extended one, issuer."""
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Head2Head Live (test)"),
                         x509.NameAttribute(NameOID.COMMON_NAME, name)])  # fmt: skip
    issuer_name, issuer_key = (subject, key) if issuer is None else (issuer[0].subject, issuer[1])
    is_root = issuer is None
    usage = x509.KeyUsage(not is_root, False, False, False, False, is_root, is_root, False, False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer_name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
    )  # fmt: skip
    if not is_root:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
