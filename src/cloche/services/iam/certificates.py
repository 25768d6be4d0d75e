"""Server certificates, users' signing certificates and SSH keys: checked, kept and given back.

They are data here: Cloche runs no load balancers and no CodeCommit. Of a server certificate's private key it is
checked that it belongs to the certificate, and then the key is thrown away: IAM never gives it out either.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import Thing
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import NotFound
from cloche.foundation.ids import unique_id
from cloche.services.iam.naming import mine, named_or_caller
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.views import tags_of, view_tags

SERVER: Final = "server-certificate"
SIGNING: Final = "signing-certificate"
SSH: Final = "ssh-public-key"
# docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
SERVER_MAX, SIGNING_MAX, SSH_MAX = 20, 2, 5


def certificate_of(ctx: Context, name: str) -> Thing:
    """A server certificate. Raises ``NotFound`` (the words: hashicorp/terraform-provider-aws's tests)."""
    missing = f"The Server Certificate with name {name} cannot be found."
    return mine(ctx).things.get(SERVER, name, missing)


# -- server certificates -----------------------------------------------------------------------------------


@operation("UploadServerCertificate")
def upload_server_certificate(ctx: Context, request: Members) -> Members:
    name, body = request["ServerCertificateName"], request["CertificateBody"]
    certificate = _certificate(body)
    if "CertificateChain" in request:
        _certificate(request["CertificateChain"])
    _check_pair(certificate, request["PrivateKey"])
    details = {
        "body": body,
        "chain": request.get("CertificateChain"),
        "expires_at": certificate.not_valid_after_utc.timestamp(),
    }
    made = mine(ctx).things.create(
        SERVER,
        name,
        details,
        path=request.get("Path") or "/",
        id=unique_id("ASCA"),
        tags=tags_of(request),
        exists=f"The Server Certificate with name {name} already exists.",
        quota=("ServerCertificatesPerAccount", SERVER_MAX),
    )
    answer: Members = {"ServerCertificateMetadata": _metadata(made)}
    if made.tags:
        answer["Tags"] = view_tags(made.tags)
    return answer


@operation("GetServerCertificate", reads=True)
def get_server_certificate(ctx: Context, request: Members) -> Members:
    found = certificate_of(ctx, request["ServerCertificateName"])
    members: Members = {
        "ServerCertificateMetadata": _metadata(found),
        "CertificateBody": found.details["body"],
        "Tags": view_tags(found.tags),
    }
    if found.details["chain"]:
        members["CertificateChain"] = found.details["chain"]
    return {"ServerCertificate": members}


@operation("ListServerCertificates", reads=True)
def list_server_certificates(ctx: Context, request: Members) -> Members:
    held = mine(ctx).things.all(SERVER, prefix=request.get("PathPrefix") or "/")
    found, end = cut(held, request, lambda each: each.name)
    return paged("ServerCertificateMetadataList", [_metadata(each) for each in found], end)


@operation("UpdateServerCertificate")
def update_server_certificate(ctx: Context, request: Members) -> None:
    new = request.get("NewServerCertificateName")
    exists = f"The Server Certificate with name {new} already exists."
    found = certificate_of(ctx, request["ServerCertificateName"])
    mine(ctx).things.rename(found, new, request.get("NewPath"), exists)


@operation("DeleteServerCertificate")
def delete_server_certificate(ctx: Context, request: Members) -> None:
    mine(ctx).things.delete(certificate_of(ctx, request["ServerCertificateName"]))


def _metadata(certificate: Thing) -> Members:
    return {
        "Path": certificate.path,
        "ServerCertificateName": certificate.name,
        "ServerCertificateId": certificate.id,
        "Arn": certificate.arn,
        "UploadDate": certificate.created_at,
        "Expiration": from_epoch(certificate.details["expires_at"]),
    }


def _certificate(text: str) -> Any:
    """Raises ``MalformedCertificate``."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        message = "Unable to parse certificate. Please ensure the certificate is in PEM format."
        raise AwsError("MalformedCertificate", message, 400) from None


def _check_pair(certificate: Any, private_key: str) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key: Any = load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError):
        message = "Unable to parse private key. Please ensure the key is in PEM format and not encrypted."
        raise AwsError("MalformedCertificate", message, 400) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise AwsError("KeyPairMismatch", "Certificate and private key do not match.", 400)


# -- signing certificates ----------------------------------------------------------------------------------


@operation("UploadSigningCertificate")
def upload_signing_certificate(ctx: Context, request: Members) -> Members:
    body = request["CertificateBody"]
    _certificate(body)
    user = mine(ctx).entities.user(named_or_caller(ctx, request))
    if any(each.details["body"] == body for each in mine(ctx).things.all(SIGNING)):
        raise AwsError("DuplicateCertificate", "The certificate is already in use.", 409)
    made = mine(ctx).things.create(
        SIGNING,
        unique_id("") + unique_id("")[:11],
        {"body": body, "status": "Active"},
        owner=user.id,
        exists="The certificate already exists.",
        quota=("CertificatesPerUser", SIGNING_MAX),
        quota_per_owner=True,
    )
    return {"Certificate": _view_signing(made, user.name)}


@operation("ListSigningCertificates", reads=True)
def list_signing_certificates(ctx: Context, request: Members) -> Members:
    user = mine(ctx).entities.user(named_or_caller(ctx, request))
    found, end = cut(mine(ctx).things.all(SIGNING, owner=user.id), request, lambda each: each.name)
    return paged("Certificates", [_view_signing(each, user.name) for each in found], end)


@operation("UpdateSigningCertificate")
def update_signing_certificate(ctx: Context, request: Members) -> None:
    status = request["Status"]
    mine(ctx).things.change(_signing(ctx, request), lambda details: {**details, "status": status})


@operation("DeleteSigningCertificate")
def delete_signing_certificate(ctx: Context, request: Members) -> None:
    mine(ctx).things.delete(_signing(ctx, request))


def _signing(ctx: Context, request: Members) -> Thing:
    user = mine(ctx).entities.user(named_or_caller(ctx, request))
    missing = f"The Certificate with id {request['CertificateId']} cannot be found."
    return _owned(mine(ctx).things.get(SIGNING, request["CertificateId"], missing), user.id, missing)


def _view_signing(certificate: Thing, user: str) -> Members:
    return {
        "UserName": user,
        "CertificateId": certificate.name,
        "CertificateBody": certificate.details["body"],
        "Status": certificate.details["status"],
        "UploadDate": certificate.created_at,
    }


# -- SSH keys ----------------------------------------------------------------------------------------------


@operation("UploadSSHPublicKey")
def upload_ssh_public_key(ctx: Context, request: Members) -> Members:
    user = mine(ctx).entities.user(request["UserName"])
    body = _in_ssh_form(request["SSHPublicKeyBody"])
    if any(each.details["body"] == body for each in mine(ctx).things.all(SSH, owner=user.id)):
        raise AwsError("DuplicateSSHPublicKey", "The SSH public key is already associated with the user.", 400)
    made = mine(ctx).things.create(
        SSH,
        unique_id("APKA")[:20],
        {"body": body, "status": "Active"},
        owner=user.id,
        exists="The SSH public key already exists.",
        quota=("SSHPublicKeysPerUser", SSH_MAX),
        quota_per_owner=True,
    )
    return {"SSHPublicKey": _view_ssh(made, user.name, "SSH")}


@operation("GetSSHPublicKey", reads=True)
def get_ssh_public_key(ctx: Context, request: Members) -> Members:
    user = mine(ctx).entities.user(request["UserName"])
    return {"SSHPublicKey": _view_ssh(_ssh(ctx, request), user.name, request["Encoding"])}


@operation("ListSSHPublicKeys", reads=True)
def list_ssh_public_keys(ctx: Context, request: Members) -> Members:
    user = mine(ctx).entities.user(named_or_caller(ctx, request))
    found, end = cut(mine(ctx).things.all(SSH, owner=user.id), request, lambda each: each.name)
    members = ("UserName", "SSHPublicKeyId", "Status", "UploadDate")
    views = [_view_ssh(each, user.name, "SSH") for each in found]
    return paged("SSHPublicKeys", [{name: view[name] for name in members} for view in views], end)


@operation("UpdateSSHPublicKey")
def update_ssh_public_key(ctx: Context, request: Members) -> None:
    status = request["Status"]
    mine(ctx).things.change(_ssh(ctx, request), lambda details: {**details, "status": status})


@operation("DeleteSSHPublicKey")
def delete_ssh_public_key(ctx: Context, request: Members) -> None:
    mine(ctx).things.delete(_ssh(ctx, request))


def _ssh(ctx: Context, request: Members) -> Thing:
    user = mine(ctx).entities.user(request["UserName"])
    missing = f"The Public Key with id {request['SSHPublicKeyId']} cannot be found."
    return _owned(mine(ctx).things.get(SSH, request["SSHPublicKeyId"], missing), user.id, missing)


def _owned(thing: Thing, owner: str, missing: str) -> Thing:
    if thing.owner != owner:
        raise NotFound(missing)
    return thing


def _in_ssh_form(body: str) -> str:
    """``ssh-rsa …`` of a key in SSH or PEM form; IAM takes RSA keys of 2,048 bits at least."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_public_key,
        load_ssh_public_key,
    )

    try:
        pem = body.lstrip().startswith("-----BEGIN")
        key: Any = load_pem_public_key(body.encode()) if pem else load_ssh_public_key(body.encode())
    except Exception:
        raise AwsError("InvalidPublicKey", "The public key is malformed or otherwise invalid.", 400) from None
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise AwsError("InvalidPublicKey", "The public key must be an RSA key of at least 2048 bits.", 400)
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _view_ssh(key: Thing, user: str, encoding: str) -> Members:
    body = key.details["body"]
    return {
        "UserName": user,
        "SSHPublicKeyId": key.name,
        "Fingerprint": _fingerprint(body),
        "SSHPublicKeyBody": body if encoding == "SSH" else _in_pem_form(body),
        "Status": key.details["status"],
        "UploadDate": key.created_at,
    }


def _fingerprint(body: str) -> str:
    """MD5 of the key's bytes, in pairs (API_SSHPublicKey)."""
    try:
        raw = base64.b64decode(body.split()[1])
    except (IndexError, binascii.Error):
        return ""
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


def _in_pem_form(body: str) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

    key = load_ssh_public_key(body.encode())
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
