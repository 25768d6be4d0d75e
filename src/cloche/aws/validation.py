"""Every constraint of the model, checked in AWS's own words.

Clients match on these sentences, so they are AWS's to the letter; each kind was seen in public:

- ``Value null at 'x' failed to satisfy constraint: Member must not be null`` (aws/aws-sdk-cpp#1252)
- ``Value 'V' at 'x' failed to satisfy constraint: Member must have length less than or equal to 64``
  (getmoto/moto#9218); ``… have length greater than or equal to 20`` (mmmorris1975/aws-runas#80)
- ``… Member must have value less than or equal to 43200`` (boto/botocore#3337, where IAM shows no value for a
  number: ``Value at 'maxSessionDuration' …``)
- ``… Member must satisfy regular expression pattern: P`` (zalando-stups/aws-credentials-service#7: the pattern
  ``[\\w+=,.@-]*`` refuses ``PowerUser/x``, so the *whole* value must match)
- ``… Member must satisfy enum value set: [a, b]`` (aws-samples/aws-sagemaker-heart-disease-prediction#1)
- ``… Map value must satisfy constraint: [C, C, C]``, with all constraints of the value and the map written
  ``{k=v, k=v}`` (GorillaStack/auto-tag#77); map keys and lists of plain values are worded after it
- ``Value at 'x' …`` without the value where the shape is sensitive (hashicorp/terraform-provider-aws#41023)
- ``N validation errors detected: …; …``, list items as ``x.1.member.y``, first letters small
  (aws/amazon-sagemaker-examples#2236, aws-samples/sagemaker-ml-workflow-with-apache-airflow#3)

Each shape is compiled to a closure that answers ``None`` when all is well, so a sound request pays for look-ups
and comparisons only; texts are made for failures. Shapes that constrain nothing, however deep, cost nothing. S3
speaks of its own errors in its own way and is left to its handlers (``SILENT``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from cloche.aws import patterns
from cloche.aws.errors import AwsError
from cloche.aws.operation import Members

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from cloche.aws.model.shape import Shape

Failure = tuple[str, str, str]
"""Path, value in words (``'V'``, ``null`` or nothing), constraint."""
Check = Callable[[Any], list[Failure] | None]

SILENT: Final = frozenset(("s3", "ec2"))
"""Services whose handlers word all of this themselves."""
CODES: Final = {
    # "InvalidParameterException: 1 validation error detected: Value null at 'logEvents.1.member.timestamp' ..."
    # (amazon-archives/cloudwatch-logs-centralize-logs#5, lazywithclass/winston-cloudwatch#55).
    "logs": "InvalidParameterException",
    # Its model has no other constraints than members that must be there
    # (AWSSimpleQueueService/latest/APIReference/CommonErrors.html).
    "sqs": "MissingParameter",
    "ecr": "InvalidParameterException",
}
QUOTING: Final = frozenset(("ecr",))
"""Services that say "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum
value set: [IMMUTABLE, MUTABLE]'" (getmoto/moto, tests/test_ecr/test_ecr.py), of the first constraint that is broken."""
_TEXT_MAX: Final = 4_096
_NUMBERS: Final = frozenset(("integer", "long", "short", "byte", "float", "double"))
_NEVER: Final = object()


def validate(service: ServiceModel, operation: OperationModel, members: Members) -> None:
    """Raises an ``AwsError`` that names every broken constraint, or returns."""
    shape = operation.input_shape
    if shape is None or service.service_name in SILENT:
        return
    check = _checks(service).of(shape)
    failures = check(members) if check is not None else None
    if failures:
        said = quoted(failures) if service.service_name in QUOTING else message(failures)
        raise AwsError(validation_code(service), said, 400)


def message(failures: list[Failure]) -> str:
    said = [f"Value{text} at '{path}' failed to satisfy constraint: {must}" for path, text, must in failures]
    return f"{len(said)} validation error{'s' if len(said) > 1 else ''} detected: {'; '.join(said)}"


def quoted(failures: list[Failure]) -> str:
    path, _, must = failures[0]
    return f"Invalid parameter at '{path}' failed to satisfy constraint: '{must}'"


def validation_code(service: ServiceModel) -> str:
    """``ValidationException`` for JSON services, ``ValidationError`` for query ones and those that once were
    (getmoto/moto#9218), and for SageMaker's runtime planes, which model it (aws/amazon-sagemaker-examples#559)."""
    name = service.service_name
    if name in CODES:
        return CODES[name]
    shapes = vars(service)["_service_description"]["shapes"]
    if "ValidationException" in shapes:
        return "ValidationException"
    spoken = (service.metadata.get("protocol"), *service.metadata.get("protocols", ()))
    if "ValidationError" in shapes or "query" in spoken or "awsQueryCompatible" in service.metadata:
        return "ValidationError"
    return "ValidationException"


def _checks(service: ServiceModel) -> _Checks:
    found = vars(service).get("_cloche_checks")
    if found is None:
        found = vars(service).setdefault("_cloche_checks", _Checks(service.service_name))
    checks: _Checks = found
    return checks


class _Checks:
    """The checks of one service's shapes, each made when first needed."""

    def __init__(self, service_name: str) -> None:
        self._made: dict[str, Check | None] = {}
        self._bare_numbers = service_name == "iam"

    def of(self, shape: Shape) -> Check | None:
        name = shape.name
        if name not in self._made:
            if shape.type_name != "structure":
                self._made[name] = self._compile(shape)
            else:
                self._made[name] = self._structure_later(shape) if _constrains(shape, set()) else None
        return self._made[name]

    def _structure_later(self, shape: Shape) -> Check:
        """Built at first use, so that a shape may hold itself."""
        built: list[Check] = []

        def later(value: Any) -> list[Failure] | None:
            if not built:
                built.append(self._structure(shape))
            return built[0](value)

        return later

    def _structure(self, shape: Shape) -> Check:
        required = [(name, _small(name)) for name in shape.required_members]
        checks = {
            name: (_small(name), inner)
            for name, member in shape.members.items()
            if (inner := self.of(member)) is not None
        }

        def check(value: Any) -> list[Failure] | None:
            failures: list[Failure] | None = None
            for name, path in required:
                if value.get(name) is None:
                    failures = failures or []
                    failures.append((path, " null", "Member must not be null"))
            for name, item in value.items():
                found = checks.get(name)
                if found is not None and item is not None and (below := found[1](item)):
                    failures = failures or []
                    failures += [(_join(found[0], path), text, must) for path, text, must in below]
            return failures

        return check

    def _compile(self, shape: Shape) -> Check | None:
        if shape.type_name == "list":
            return self._list(shape)
        if shape.type_name == "map":
            return self._map(shape)
        tests = _scalar_tests(shape)
        if not tests:
            return None
        hidden = bool(shape.metadata.get("sensitive")) or (self._bare_numbers and shape.type_name in _NUMBERS)

        def check(value: Any) -> list[Failure] | None:
            text = "" if hidden else _quoted(value)
            return [("", text, must) for fits, must in tests if not fits(value)]

        return _quick_text(shape, check) if shape.type_name == "string" else _after(tests, check)

    def _list(self, shape: Shape) -> Check | None:
        sizes = _length_tests(shape)
        member = shape.member
        inner = self.of(member)
        if inner is None and not sizes:
            return None
        plain = member.type_name not in ("structure", "list", "map")
        whole = f"Member must satisfy constraint: [{_all_of(member)}]" if plain else ""
        hidden = bool(shape.metadata.get("sensitive") or member.metadata.get("sensitive"))

        def check(value: Any) -> list[Failure] | None:
            failures = [("", "" if hidden else _quoted(value), must) for fits, must in sizes if not fits(value)]
            if inner is None:
                return failures
            for number, item in enumerate(value, 1):
                below = inner(item) if item is not None else None
                if below and plain:
                    failures.append(("", "" if hidden else _quoted(value), whole))
                    break
                if below:
                    failures += [(_join(f"{number}.member", path), text, must) for path, text, must in below]
            return failures

        return check

    def _map(self, shape: Shape) -> Check | None:
        sizes = _length_tests(shape)
        key_of, value_of = self.of(shape.key), self.of(shape.value)
        if not sizes and key_of is None and value_of is None:
            return None
        plain = shape.value.type_name not in ("structure", "list", "map")
        value_check: Check = value_of or (lambda value: None)
        keys_must = f"Map keys must satisfy constraint: [{_all_of(shape.key)}]"
        values_must = f"Map value must satisfy constraint: [{_all_of(shape.value)}]" if plain else ""
        hidden = bool(shape.metadata.get("sensitive") or shape.value.metadata.get("sensitive"))

        def check(value: Any) -> list[Failure] | None:
            musts = [must for fits, must in sizes if not fits(value)]
            if key_of is not None and any(key_of(key) for key in value):
                musts.append(keys_must)
            failures: list[Failure] = []
            for key, item in value.items() if value_of is not None else ():
                below = value_check(item) if item is not None else None
                if below and plain:
                    musts.append(values_must)
                    break
                failures += [(_join(f"{key}.member", p), t, must) for p, t, must in below or ()]
            if not musts:
                return failures
            text = "" if hidden else _quoted(value)
            return [("", text, must) for must in musts] + failures

        return check


# --- what a shape demands ----------------------------------------------------------------------------------

Test = tuple[Callable[[Any], bool], str]


def _scalar_tests(shape: Shape) -> list[Test]:
    """In AWS's order: largest, pattern (airflow#3 above), smallest (aws-runas#80, and
    fluent-plugins-nursery/fluent-plugin-cloudwatch-logs#223)."""
    rules = shape.metadata
    if shape.type_name in _NUMBERS:
        return _bound_tests(rules, "value", lambda value: value)
    if shape.type_name not in ("string", "character", "blob"):
        return []
    if (values := rules.get("enum")) is not None:
        allowed = frozenset(values)
        return [(allowed.__contains__, f"Member must satisfy enum value set: [{', '.join(values)}]")]
    tests = _length_tests(shape)
    if (source := rules.get("pattern")) is not None and shape.type_name != "blob":
        pattern = patterns.compiled(source, int(rules.get("min") or 0))
        at = 1 if rules.get("max") is not None else 0
        tests.insert(at, (pattern.fits, f"Member must satisfy regular expression pattern: {source}"))
    return tests


def _after(tests: list[Test], check: Check) -> Check:
    """``check`` words the failures; most values have none."""
    if len(tests) == 1:
        (fits, _), *_ = tests
        return lambda value: None if fits(value) else check(value)
    return lambda value: None if all(fits(value) for fits, _ in tests) else check(value)


def _quick_text(shape: Shape, check: Check) -> Check:
    """The same for texts, without a call per constraint."""
    rules = shape.metadata
    if (values := rules.get("enum")) is not None:
        allowed = frozenset(values)
        return lambda value: None if value in allowed else check(value)
    smallest, largest = int(rules.get("min") or 0), rules.get("max")
    top = sys.maxsize if largest is None else int(largest)
    source = rules.get("pattern")
    if source is None:
        return lambda value: None if smallest <= len(value) <= top else check(value)
    pattern = patterns.compiled(source, smallest)
    fits: Callable[[str], object] = pattern.quick(largest) or pattern.fits
    return lambda value: None if smallest <= len(value) <= top and fits(value) else check(value)


def _length_tests(shape: Shape) -> list[Test]:
    return _bound_tests(shape.metadata, "length", _length)


def _length(value: Any) -> Any:
    """A body that still streams has no length yet."""
    return len(value) if hasattr(value, "__len__") else _NEVER


def _bound_tests(rules: Any, what: str, measure: Callable[[Any], Any]) -> list[Test]:
    tests: list[Test] = []
    largest, smallest = rules.get("max"), rules.get("min")

    def at_most(value: Any) -> bool:
        size = measure(value)
        return size is _NEVER or not size > largest

    def at_least(value: Any) -> bool:
        size = measure(value)
        return size is _NEVER or not size < smallest

    if largest is not None:
        tests.append((at_most, f"Member must have {what} less than or equal to {largest}"))
    if smallest is not None and not (what == "length" and smallest == 0):
        tests.append((at_least, f"Member must have {what} greater than or equal to {smallest}"))
    return tests


def _all_of(shape: Shape) -> str:
    """All constraints of a plain shape, as AWS lists them in brackets: largest, smallest, pattern or set."""
    rules = shape.metadata
    if shape.type_name not in ("string", "character", "blob", *_NUMBERS):
        return ""
    what = "value" if shape.type_name in _NUMBERS else "length"
    said = []
    if rules.get("max") is not None:
        said.append(f"Member must have {what} less than or equal to {rules['max']}")
    if rules.get("min") is not None:
        said.append(f"Member must have {what} greater than or equal to {rules['min']}")
    if rules.get("pattern") is not None:
        said.append(f"Member must satisfy regular expression pattern: {rules['pattern']}")
    if rules.get("enum") is not None:
        said.append(f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]")
    return ", ".join(said)


def _constrains(shape: Shape, seen: set[str]) -> bool:
    """Whether anything at all is demanded within ``shape``."""
    if shape.name in seen:
        return False
    seen.add(shape.name)
    if shape.type_name == "structure":
        return bool(shape.required_members) or any(_constrains(m, seen) for m in shape.members.values())
    if shape.type_name == "list":
        return bool(_length_tests(shape)) or _constrains(shape.member, seen)
    if shape.type_name == "map":
        return bool(_length_tests(shape)) or _constrains(shape.key, seen) or _constrains(shape.value, seen)
    rules = shape.metadata
    return any(rules.get(rule) is not None for rule in ("min", "max", "pattern", "enum"))


# --- words -------------------------------------------------------------------------------------------------


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _join(path: str, below: str) -> str:
    return f"{path}.{below}" if below else path


def _quoted(value: Any) -> str:
    text = _words(value)
    return f" '{text if len(text) <= _TEXT_MAX else text[:_TEXT_MAX] + '...'}'"


def _words(value: Any) -> str:
    """As Java prints it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_words(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(_words(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return value if isinstance(value, str) else str(value)
