"""What differs between two stored datasets: which images, and which of their captions and columns."""

from __future__ import annotations

from dataclasses import dataclass

from core.datasets.dataset import Dataset


@dataclass(frozen=True)
class DatasetChange:
    """Numbers of images of a dataset against an earlier one.

    added: that only it has. removed: that only the earlier one has. changed: that both have, with another name, other
    captions or other values of the columns.
    """

    added: int
    removed: int
    changed: int

    @property
    def none(self) -> bool:
        """Whether the images and what is said of them are the same."""
        return not (self.added or self.removed or self.changed)


def dataset_change(now: Dataset, before: Dataset) -> DatasetChange:
    """What became of `before` in `now`. Images are the same where their pixels are: the id is a hash of them."""
    new = {image.id: image for image in now.images}
    old = {image.id: image for image in before.images}
    return DatasetChange(
        added=len(new.keys() - old.keys()),
        removed=len(old.keys() - new.keys()),
        changed=sum(new[image] != old[image] for image in new.keys() & old.keys()),
    )
