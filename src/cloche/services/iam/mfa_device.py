"""Virtual MFA devices: seeds, whose device is whose, and codes that really are checked.

The picture with the QR code that IAM adds is left out: any authenticator takes the seed itself.
IAM's sentences: moto's tests of MFA devices; those of STS about codes are in ``engines/identity/sessions``.
"""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity import one_time, words
from cloche.engines.identity.entities import Thing, User
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import AlreadyExists, Conflict, NotFound
from cloche.services.iam.naming import mine, named_or_caller
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.views import tags_of, view_tags, view_user

KIND: Final = "mfa-device"
DEVICES_PER_USER_MAX: Final = 8


def device_of(ctx: Context, serial: str) -> Thing:
    """Raises ``NotFound``."""
    found = mine(ctx).things.find(KIND, serial.rpartition("/")[2])
    if found is None or found.arn != serial:
        raise NotFound(f"VirtualMFADevice with serial number {serial} doesn't exist.")
    return found


@operation("CreateVirtualMFADevice")
def create_virtual_mfa_device(ctx: Context, request: Members) -> Members:
    seed = one_time.new_seed()
    made = mine(ctx).things.create(
        KIND,
        request["VirtualMFADeviceName"],
        {"seed": seed},
        path=request.get("Path") or "/",
        tags=tags_of(request),
        exists="MFADevice entity at the same path and name already exists.",
    )
    device: Members = {"SerialNumber": made.arn, "Base32StringSeed": seed.encode()}
    if made.tags:
        device["Tags"] = view_tags(made.tags)
    return {"VirtualMFADevice": device}


@operation("DeleteVirtualMFADevice")
def delete_virtual_mfa_device(ctx: Context, request: Members) -> None:
    device = device_of(ctx, request["SerialNumber"])
    if device.owner is not None:
        raise Conflict("MFA VirtualDevice in use. Must deactivate first.")
    mine(ctx).things.delete(device)


@operation("ListVirtualMFADevices", reads=True)
def list_virtual_mfa_devices(ctx: Context, request: Members) -> Members:
    wanted = request.get("AssignmentStatus") or "Any"
    kept = [
        each for each in mine(ctx).things.all(KIND) if wanted in ("Any", "Assigned" if each.owner else "Unassigned")
    ]
    found, end = cut(kept, request, lambda each: each.arn)
    return paged("VirtualMFADevices", [_view_virtual(ctx, each) for each in found], end)


@operation("EnableMFADevice")
def enable_mfa_device(ctx: Context, request: Members) -> None:
    identity = mine(ctx)
    user = identity.entities.user(request["UserName"])
    device = device_of(ctx, request["SerialNumber"])
    if device.owner is not None:
        raise AlreadyExists("MFA Device is already in use.")
    if len(identity.things.all(KIND, owner=user.id)) >= DEVICES_PER_USER_MAX:
        raise words.quota("MFADevicesPerUser", DEVICES_PER_USER_MAX)
    step = _checked(ctx, device, request)
    now = identity.now
    identity.things.change(device, lambda details: {**details, "enabled_at": now, "step": step})
    identity.things.give(device, user.id)


@operation("ResyncMFADevice")
def resync_mfa_device(ctx: Context, request: Members) -> None:
    device = _assigned(ctx, request)
    step = _checked(ctx, device, request)
    mine(ctx).things.change(device, lambda details: {**details, "step": step})


@operation("DeactivateMFADevice")
def deactivate_mfa_device(ctx: Context, request: Members) -> None:
    device = _assigned(ctx, request)
    mine(ctx).things.change(device, lambda details: {"seed": details["seed"]})
    mine(ctx).things.give(device, None)


@operation("GetMFADevice", reads=True)
def get_mfa_device(ctx: Context, request: Members) -> Members:
    device = device_of(ctx, request["SerialNumber"])
    owner = _owner(ctx, device)
    if "UserName" in request and (owner is None or owner.name.lower() != request["UserName"].lower()):
        raise NotFound(f"MFADevice with serial number {device.arn} is not assigned to {request['UserName']}.")
    members: Members = {"SerialNumber": device.arn}
    if owner is not None:
        members |= {"UserName": owner.name, "EnableDate": from_epoch(device.details["enabled_at"])}
    return members


@operation("ListMFADevices", reads=True)
def list_mfa_devices(ctx: Context, request: Members) -> Members:
    user = mine(ctx).entities.user(named_or_caller(ctx, request))
    found, end = cut(mine(ctx).things.all(KIND, owner=user.id), request, lambda each: each.arn)
    devices = [
        {"UserName": user.name, "SerialNumber": each.arn, "EnableDate": from_epoch(each.details["enabled_at"])}
        for each in found
    ]
    return paged("MFADevices", devices, end)


def _assigned(ctx: Context, request: Members) -> Thing:
    user = mine(ctx).entities.user(named_or_caller(ctx, request))
    device = device_of(ctx, request["SerialNumber"])
    if device.owner != user.id:
        raise NotFound(f"MFADevice with serial number {device.arn} is not assigned to {user.name}.")
    return device


def _checked(ctx: Context, device: Thing, request: Members) -> int:
    first, second = request["AuthenticationCode1"], request["AuthenticationCode2"]
    step = one_time.consecutive(device.details["seed"], first, second, mine(ctx).now)
    if step is None:
        raise AwsError("InvalidAuthenticationCode", "Authentication code for device is not valid.", 403)
    return step


def _owner(ctx: Context, device: Thing) -> User | None:
    found = None if device.owner is None else mine(ctx).entities.by_id(device.owner)
    return found if isinstance(found, User) else None


def _view_virtual(ctx: Context, device: Thing) -> Members:
    members: Members = {"SerialNumber": device.arn}
    owner = _owner(ctx, device)
    if owner is not None:
        members |= {
            "User": view_user(owner, whole=False),
            "EnableDate": from_epoch(device.details["enabled_at"]),
        }
    return members
