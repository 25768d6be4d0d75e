"""Providers, certificates, keys for other services, and roles that services bring along."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

METADATA = (
    '<?xml version="1.0"?><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" '
    'entityID="https://idp.example.com" validUntil="2030-01-02T03:04:05Z"><!--' + "x" * 1000 + "--></EntityDescriptor>"
)


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    error = found.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def iam(client: Callable[..., Any]) -> Any:
    return client("iam")


def certificate() -> tuple[str, str]:
    """One that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), private.decode()


def test_openid_connect_providers(iam: Any) -> None:
    url = "https://oidc.example.com/id/1"
    arn = iam.create_open_id_connect_provider(
        Url=url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["A" * 40], Tags=[{"Key": "a", "Value": "b"}]
    )["OpenIDConnectProviderArn"]
    assert arn == "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/1"
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert found["Url"] == "oidc.example.com/id/1", "without its scheme, as IAM tells it"
    assert (found["ClientIDList"], found["ThumbprintList"]) == (["sts.amazonaws.com"], ["a" * 40])
    assert refusal(iam.create_open_id_connect_provider, Url=url) == (
        "EntityAlreadyExists", f"Provider with url {url} already exists.",
    )  # fmt: skip
    assert refusal(iam.create_open_id_connect_provider, Url="http://oidc.example.com")[0] == "ValidationError"
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="second")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="second")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="sts.amazonaws.com")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["ClientIDList"], found["ThumbprintList"]) == (["second"], ["b" * 40])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["a"])
    tags = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"]
    assert tags == [{"Key": "c", "Value": "d"}]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert refusal(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn) == (
        "NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}",
    )  # fmt: skip


def test_saml_providers(iam: Any) -> None:
    arn = iam.create_saml_provider(Name="saml", SAMLMetadataDocument=METADATA)["SAMLProviderArn"]
    found = iam.get_saml_provider(SAMLProviderArn=arn)
    assert found["SAMLMetadataDocument"] == METADATA
    assert found["ValidUntil"] == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert arn in [each["Arn"] for each in iam.list_saml_providers()["SAMLProviderList"]]
    newer = METADATA.replace("2030", "2031")
    iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument=newer)
    assert iam.get_saml_provider(SAMLProviderArn=arn)["ValidUntil"].year == 2031
    for broken in ("x" * 1000, METADATA.replace("EntityDescriptor", "Something"), "<!DOCTYPE a>" + METADATA):
        assert refusal(iam.create_saml_provider, Name="broken", SAMLMetadataDocument=broken)[0] == "InvalidInput"
    refused = refusal(iam.create_saml_provider, Name="more", SAMLMetadataDocument=METADATA, AddPrivateKey="k" * 40)
    assert "AddPrivateKey" in refused[1], "what is not done is refused by name"
    iam.delete_saml_provider(SAMLProviderArn=arn)
    assert refusal(iam.get_saml_provider, SAMLProviderArn=arn)[0] == "NoSuchEntity"


def test_server_certificates(iam: Any) -> None:
    body, key = certificate()
    made = iam.upload_server_certificate(
        ServerCertificateName="site", CertificateBody=body, PrivateKey=key, Path="/cloudfront/"
    )["ServerCertificateMetadata"]
    assert made["Arn"] == "arn:aws:iam::123456789012:server-certificate/cloudfront/site"
    assert made["ServerCertificateId"].startswith("ASCA")
    assert made["Expiration"] > datetime.now(UTC) + timedelta(days=29)
    found = iam.get_server_certificate(ServerCertificateName="site")["ServerCertificate"]
    assert found["CertificateBody"].strip() == body.strip() and "PrivateKey" not in found
    other, _ = certificate()
    refused = refusal(
        iam.upload_server_certificate, ServerCertificateName="pair", CertificateBody=other, PrivateKey=key
    )
    assert refused[0] == "KeyPairMismatch"
    malformed = refusal(
        iam.upload_server_certificate, ServerCertificateName="bad", CertificateBody="none", PrivateKey=key
    )
    assert malformed[0] == "MalformedCertificate"
    iam.update_server_certificate(ServerCertificateName="site", NewServerCertificateName="page", NewPath="/")
    listed = iam.list_server_certificates()["ServerCertificateMetadataList"]
    assert [each["Arn"] for each in listed] == ["arn:aws:iam::123456789012:server-certificate/page"]
    iam.tag_server_certificate(ServerCertificateName="page", Tags=[{"Key": "a", "Value": "b"}])
    assert iam.list_server_certificate_tags(ServerCertificateName="page")["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.delete_server_certificate(ServerCertificateName="page")
    assert refusal(iam.delete_server_certificate, ServerCertificateName="page")[0] == "NoSuchEntity"


def test_signing_certificates_and_ssh_keys(iam: Any) -> None:
    iam.create_user(UserName="signer")
    body, _ = certificate()
    made = iam.upload_signing_certificate(UserName="signer", CertificateBody=body)["Certificate"]
    assert made["Status"] == "Active"
    assert refusal(iam.upload_signing_certificate, UserName="signer", CertificateBody=body)[0] == "DuplicateCertificate"
    iam.update_signing_certificate(UserName="signer", CertificateId=made["CertificateId"], Status="Inactive")
    assert iam.list_signing_certificates(UserName="signer")["Certificates"][0]["Status"] == "Inactive"
    key = rsa.generate_private_key(65537, 2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    ssh = iam.upload_ssh_public_key(UserName="signer", SSHPublicKeyBody=pem)["SSHPublicKey"]
    assert ssh["SSHPublicKeyId"].startswith("APKA") and ssh["SSHPublicKeyBody"].startswith("ssh-rsa ")
    assert len(ssh["Fingerprint"].split(":")) == 16
    shown = iam.get_ssh_public_key(UserName="signer", SSHPublicKeyId=ssh["SSHPublicKeyId"], Encoding="PEM")
    assert shown["SSHPublicKey"]["SSHPublicKeyBody"] == pem
    assert refusal(iam.upload_ssh_public_key, UserName="signer", SSHPublicKeyBody=pem)[0] == "DuplicateSSHPublicKey"
    assert refusal(iam.upload_ssh_public_key, UserName="signer", SSHPublicKeyBody="ssh-rsa x")[0] == "InvalidPublicKey"
    stays = "Cannot delete entity, must remove referenced objects first."
    assert refusal(iam.delete_user, UserName="signer")[1] == stays
    iam.delete_signing_certificate(UserName="signer", CertificateId=made["CertificateId"])
    iam.delete_ssh_public_key(UserName="signer", SSHPublicKeyId=ssh["SSHPublicKeyId"])
    iam.delete_user(UserName="signer")


def test_roles_linked_to_a_service(iam: Any) -> None:
    service = "ecs.application-autoscaling.amazonaws.com"
    role = iam.create_service_linked_role(AWSServiceName=service)["Role"]
    assert role["RoleName"] == "AWSServiceRoleForApplicationAutoScaling_ECSService"
    assert role["Path"] == f"/aws-service-role/{service}/"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": service}
    attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AWSApplicationAutoscalingECSServicePolicy"]
    assert refusal(iam.create_service_linked_role, AWSServiceName=service) == (
        "InvalidInput",
        f"Service role name {role['RoleName']} has been taken in this account, please try a different suffix.",
    )
    protected = (
        "UnmodifiableEntity",
        f"Cannot perform the operation on the protected role '{role['RoleName']}' - this role is only modifiable by "
        "AWS",
    )
    name = {"RoleName": role["RoleName"]}
    assert refusal(iam.delete_role, **name) == protected
    assert refusal(iam.detach_role_policy, **name, PolicyArn=attached[0]["PolicyArn"]) == protected
    document = json.dumps(role["AssumeRolePolicyDocument"])
    assert refusal(iam.update_assume_role_policy, **name, PolicyDocument=document) == protected
    assert "suffix is not allowed" in refusal(
        iam.create_service_linked_role, AWSServiceName=service, CustomSuffix="x"
    )[1]  # fmt: skip
    task = iam.delete_service_linked_role(**name)["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/{service}/{role['RoleName']}/")
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert refusal(iam.get_role, **name)[0] == "NoSuchEntity"
    assert refusal(iam.create_service_linked_role, AWSServiceName="none.amazonaws.com")[0] == "InvalidInput"
    assert refusal(iam.delete_service_linked_role, RoleName="AmazonSageMaker-ExecutionRole")[0] == "NoSuchEntity"
