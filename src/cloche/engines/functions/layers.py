"""Versions of layers: published, listed, deleted. A number is never given twice, and what a function uses stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

import orjson

from cloche.engines.functions.packages import BYTES_MAX, Packages
from cloche.engines.functions.plan import Code, Layer, LayerVersion
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Invalid, NotFound
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.keyset import Key, Page, Walk, read_page

LAYERS_MAX = 5
"""docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


class Layers:
    def __init__(self, database: Database, clock: Clock, packages: Packages) -> None:
        self._database = database
        self._clock = clock
        self._packages = packages

    def publish(
        self,
        account: str,
        region: str,
        name: str,
        zipped: bytes,
        *,
        description: str,
        runtimes: Sequence[str],
        architectures: Sequence[str],
        license: str,
    ) -> LayerVersion:
        """Raises ``Invalid`` for a zip that is none."""
        code = self._packages.add(zipped)

        def change(tx: sqlite3.Connection) -> LayerVersion:
            row = tx.execute(
                "INSERT INTO function_layers VALUES (?, ?, ?, 1) ON CONFLICT (account, region, name)"
                " DO UPDATE SET last_version = last_version + 1 RETURNING last_version",
                (account, region, name),
            ).fetchone()
            made = LayerVersion(
                account,
                region,
                name,
                int(row[0]),
                code,
                self._clock.time(),
                description,
                tuple(runtimes),
                tuple(architectures),
                license,
            )
            kept = asdict(made)
            for column in ("account", "region", "name", "number"):
                del kept[column]
            tx.execute(
                "INSERT INTO function_layer_versions VALUES (?, ?, ?, ?, ?, ?)",
                (account, region, name, made.number, code.name, orjson.dumps(kept).decode()),
            )
            return made

        return self._database.write(change)

    def get(self, account: str, region: str, name: str, number: int) -> LayerVersion:
        """Raises ``NotFound``."""
        row = self._database.reader.execute(
            "SELECT * FROM function_layer_versions WHERE account = ? AND region = ? AND name = ? AND number = ?",
            (account, region, name, number),
        ).fetchone()
        if row is None:
            raise NotFound("The resource you requested does not exist.")
        return of_row(row)

    def delete(self, account: str, region: str, name: str, number: int) -> None:
        """Nothing happens where it is not there (API_DeleteLayerVersion.html). Functions that use it go on."""

        def change(tx: sqlite3.Connection) -> None:
            tx.execute(
                "DELETE FROM function_layer_versions WHERE account = ? AND region = ? AND name = ? AND number = ?",
                (account, region, name, number),
            )
            tx.execute(
                "DELETE FROM function_statements WHERE account = ? AND region = ? AND resource = ?",
                (account, region, f"layer:{name}:{number}"),
            )

        self._database.write(change)

    def versions(self, account: str, region: str, name: str, after: Key | None, size: int) -> Page:
        """Newest first."""
        walk = Walk(
            "function_layer_versions",
            ("number",),
            descending=True,
            conditions=("account = ?", "region = ?", "name = ?"),
            arguments=(account, region, name),
        )
        return read_page(self._database.reader, walk, after=after, size=size)

    def newest(self, account: str, region: str, after: Key | None, size: int) -> Page:
        """The newest version of each layer, in the order of names."""
        newest = (
            "number = (SELECT max(o.number) FROM function_layer_versions o WHERE o.account = "
            "function_layer_versions.account AND o.region = function_layer_versions.region "
            "AND o.name = function_layer_versions.name)"
        )
        walk = Walk(
            "function_layer_versions",
            ("name", "number"),
            conditions=("account = ?", "region = ?", newest),
            arguments=(account, region),
        )
        return read_page(self._database.reader, walk, after=after, size=size)

    def used(self, account: str, region: str, arns: Sequence[str], code: Code) -> tuple[Layer, ...]:
        """The layers of those ARNs, for a function of ``code``. Raises ``Invalid`` for one that is not there or does
        not fit."""
        if len(arns) > LAYERS_MAX:
            raise Invalid(f"Cannot reference more than {LAYERS_MAX} layers.", field="Layers")
        found = [self._used(account, region, arn) for arn in arns]
        names = [arn.rpartition(":")[0] for arn in arns]
        for name in names:
            if names.count(name) > 1:
                raise Invalid(f"Two different versions of the same layer are not allowed: {name}", field="Layers")
        layers = tuple(Layer(held.arn, held.code.name, held.code.zipped_bytes, held.code.bytes) for held in found)
        check_size(code, layers)
        return layers

    def _used(self, account: str, region: str, arn: str) -> LayerVersion:
        parts = arn.split(":")
        if len(parts) != 8 or parts[5] != "layer" or not parts[7].isdecimal():
            raise Invalid(f"{arn} is not the ARN of a layer's version", field="Layers")
        if parts[3] != region or parts[4] != account:
            raise Invalid(f"Layer version {arn} does not exist in this account and region.", field="Layers")
        try:
            return self.get(account, region, parts[6], int(parts[7]))
        except NotFound:
            raise Invalid(f"Layer version {arn} does not exist.", field="Layers") from None


def check_size(code: Code, layers: Sequence[Layer]) -> None:
    """Raises ``Invalid`` where a package and its layers are too large together."""
    total = code.bytes + sum(layer.bytes for layer in layers)
    if total > BYTES_MAX:
        raise Invalid(
            f"Function code combined with layers exceeds the maximum allowed size of {BYTES_MAX} bytes. "
            f"The actual size is {total} bytes."
        )


def of_row(row: sqlite3.Row) -> LayerVersion:
    kept = orjson.loads(row["document"])
    kept["code"] = Code(**kept["code"])
    for name in ("runtimes", "architectures"):
        kept[name] = tuple(kept[name])
    return LayerVersion(row["account"], row["region"], row["name"], row["number"], **kept)
