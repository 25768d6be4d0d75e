"""What the registry refuses, told apart: ECR and the registry protocol have codes of their own for each.

The sentences are ECR's, which docker prints after the code of the registry protocol ("name unknown: The repository
with name …", aws-actions/amazon-ecr-login#4; "tag invalid: The image tag …", moby/buildkit#3776); those without another
source stand in getmoto/moto, moto/ecr/exceptions.py, recorded of AWS.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloche.foundation.errors import AlreadyExists, Conflict, Denied, Invalid, LimitReached, NotFound


class RepositoryUnknown(NotFound):
    def __init__(self, name: str, account: str) -> None:
        super().__init__(
            f"The repository with name '{name}' does not exist in the registry with id '{account}'",
        )


class RepositoryExists(AlreadyExists):
    def __init__(self, name: str, account: str) -> None:
        super().__init__(f"The repository with name '{name}' already exists in the registry with id '{account}'")


class RepositoryNotEmpty(Conflict):
    def __init__(self, name: str, account: str) -> None:
        super().__init__(
            f"The repository with name '{name}' in registry with id '{account}' cannot be deleted because it still "
            "contains images"
        )


class ImageUnknown(NotFound):
    def __init__(self, said: str, name: str, account: str) -> None:
        """``said`` is how the image was asked for: ``{imageDigest:'null', imageTag:'1'}``."""
        super().__init__(
            f"The image with imageId {said} does not exist within the repository with name '{name}' in the registry "
            f"with id '{account}'"
        )


class ImageExists(AlreadyExists):
    def __init__(self, digest: str, tag: str, name: str, account: str) -> None:
        named = f"digest '{digest}' and tag '{tag}'" if tag else f"digest '{digest}'"
        super().__init__(
            f"Image with {named} already exists in the repository with name '{name}' in registry with id '{account}'"
        )


class TagImmutable(Conflict):
    def __init__(self, tag: str, name: str) -> None:
        super().__init__(
            f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the "
            "repository is immutable."
        )


class ImageReferenced(Conflict):
    def __init__(self, parents: Sequence[str]) -> None:
        """No public source for the words; the code, ImageReferencedByManifestList, is the model's."""
        super().__init__(f"Requested image referenced by manifest list: [{', '.join(parents)}]")


class LayersUnknown(NotFound):
    def __init__(self, digests: Sequence[str], name: str, account: str) -> None:
        """For one, as GetDownloadUrlForLayer says it (monken/aws-ecr-public#11)."""
        self.digests = tuple(digests)
        those = f"layer with digest {digests[0]} does" if len(digests) == 1 else f"layers [{', '.join(digests)}] do"
        super().__init__(
            f"The {those} not exist within the repository with name '{name}' in the registry with id '{account}'"
        )


class DigestDiffers(Invalid):
    """The sentence of a manifest's comes from google/go-containerregistry#1568, that of a layer's from
    dotnet/sdk-container-builds#424."""

    @classmethod
    def of_image(cls, digest: str, name: str, account: str) -> DigestDiffers:
        return cls(
            f"The image with digest '{digest}' in repository '{name}' and registry ID '{account}' does not match the "
            "image digest that Amazon ECR has calculated."
        )

    @classmethod
    def of_layer(cls) -> DigestDiffers:
        return cls("None of the provided layer digests match the calculated layer digest")


class ChildrenUnknown(NotFound):
    def __init__(self, digests: Sequence[str], name: str, account: str) -> None:
        """As docker manifest push prints it (int128/docker-manifest-create-action#63)."""
        self.digests = tuple(digests)
        super().__init__(
            f"Images with digests '[{', '.join(digests)}]' required for pushing image into repository with name "
            f"'{name}' in the registry with id '{account}' do not exist"
        )


class LayerInUse(Conflict):
    """A layer that images need is not deleted by itself."""


class ManifestInvalid(Invalid):
    """What is no manifest, or one that Cloche does not take."""


class LayerTooLarge(LimitReached):
    """A layer of more bytes than ECR takes."""


class UploadUnknown(NotFound):
    def __init__(self, upload: str, name: str, account: str) -> None:
        super().__init__(
            f"Upload with id '{upload}' could not be found for the repository with name '{name}' in the registry with "
            f"id '{account}'"
        )


class UploadBusy(Conflict):
    """Two requests write to one upload."""


class OutOfOrder(Conflict):
    """A piece that does not begin where the last one ended. ``size`` bytes are there."""

    def __init__(self, upload: str, name: str, account: str, size: int) -> None:
        self.size = size
        super().__init__(
            f"Invalid layer part upload for upload with id '{upload}' in the repository with name '{name}' in the "
            f"registry with id '{account}'"
        )


class TokenRefused(Denied):
    """An authorization token that is none, or none any more."""
