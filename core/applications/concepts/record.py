"""What the application `concepts` measured, read from its folder; draws the map of any concept from it. No torch.

Beside the tables lie `crops.npy` (images, crops, embedding; float16), `glosses.npy`, `images.npy`, and `own.npy`,
`presence.npy` and `best.npy` (images, concepts).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.record import Record
from core.concepts.graph import ConceptGraph
from core.concepts.lattice import Lattice
from core.concepts.relevance import ConceptMap, chance, concept_map, similarities
from core.errors import RunError
from core.runs.rows import Flag, ImageId, ImageName, Number, Numbers, OptionalSingle, Row, Text, Texts, Whole


class ConceptRow(Row):
    """One row per concept."""

    name: Annotated[Text, "name of the synset, such as dog.n.01"]
    title: Annotated[Text, "its first word"]
    gloss: Annotated[Text, "the definition that is embedded"]
    lemmas: Annotated[Texts, "its words"]
    listed: Annotated[Flag, "whether it belongs to the vocabulary itself, not only to the path above one that does"]
    parents: Annotated[Texts, "names of the concepts directly above it"]


class ImageRow(Row):
    """One row per image."""

    image: ImageId
    image_name: ImageName
    fit: Annotated[OptionalSingle, "highest cosine with any kind of what all images were declared to show"]


class RebuiltRow(Row):
    """One row per image."""

    image: ImageId
    image_name: ImageName
    cosine: Annotated[Number, "cosine of the centred embedding with its reconstruction from words"]
    whole: Annotated[Number, "cosine of the embedding with the reconstruction and the mean"]
    mean_alone: Annotated[Number, "cosine of the embedding with the mean alone"]
    words: Annotated[Texts, "the words, largest weight first"]
    weights: Annotated[Numbers, "their weights"]


class TopRow(Row):
    """One row per image and listed concept that ranks high over most of it."""

    image: ImageId
    image_name: ImageName
    rank: Annotated[Whole, "rank, from 1"]
    concept: Annotated[Text, "name of the synset"]
    title: Annotated[Text, "its first word"]
    gloss: Annotated[Text, "its definition"]
    presence: Annotated[Number, "share of the image where its gloss is among the top 1 %"]
    best: Annotated[Number, "highest rank score of a crop, 0 to 1"]
    cosine: Annotated[Number, "cosine of the whole image with its gloss"]


@dataclass(frozen=True)
class ConceptRecord(Record):
    """The concepts of a run. Arrays are indexed by image, then by crop or concept; all but `glosses` and
    `whole` stay on the disk.

    `own` is the share of an image where the concept's own gloss is among the top 1 %; `presence` and `best` (highest
    score of a crop) count everything below it too.
    """

    graph: ConceptGraph
    images: Annotated[pd.DataFrame, ImageRow]
    top: Annotated[pd.DataFrame, TopRow]
    rebuilt: Annotated[pd.DataFrame, RebuiltRow]
    crops: NDArray[np.float16]
    glosses: NDArray[np.float16]
    whole: NDArray[np.float32]
    own: NDArray[np.float32]
    presence: NDArray[np.float32]
    best: NDArray[np.float32]

    NAME: ClassVar = "concepts"
    TITLE: ClassVar = "concepts"
    MORE: ClassVar = {"concepts": ConceptRow}
    LATER: ClassVar = frozenset({"rebuilt"})

    @property
    def lattice(self) -> Lattice:
        """Where the crops lie."""
        return Lattice(int(self.about["cells"]))

    def image(self, image: str) -> int:
        """The place of an image by its id. Raises `RunError` if the record doesn't have it."""
        found = np.flatnonzero((self.images["image"] == image).to_numpy())
        if not len(found):
            raise RunError(f"the concepts of this run do not include the image {image}")
        return int(found[0])

    def cosines(self, image: int) -> NDArray[np.float32]:
        """Cosines `(crops, concepts)` of one image."""
        return similarities(self.crops[image], self.glosses)

    def map(self, concept: int, image: int) -> ConceptMap:
        """The map of a concept, everything below it included, over one image."""
        return self.map_from(self.cosines(image), concept)

    def map_from(self, cosines: NDArray[np.float32], concept: int) -> ConceptMap:
        """`map` from the `cosines` of an image, for many concepts of one image."""
        return concept_map(cosines, self.graph.members(concept), self.lattice, self.about["scale_weight"])

    def cosine(self, concept: int) -> NDArray[np.float32]:
        """The highest cosine of each whole image with the gloss of the concept or of anything below it."""
        return similarities(self.whole, self.glosses[self.graph.members(concept)]).max(axis=1)

    def chance(self, concept: int) -> float:
        """The presence that a random ranking would give the concept."""
        return chance(len(self.graph), len(self.graph.members(concept)))

    @classmethod
    def parts(cls, folder: Path, about: dict[str, Any], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
        """The tables, the graph instead of that of the concepts, and the arrays."""
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("glosses", "images")}
        arrays |= {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("crops", "own", "presence", "best")
        }
        return {
            "about": about,
            "graph": ConceptGraph.from_frame(tables.pop("concepts"), about["source"]),
            "whole": arrays.pop("images"),
            **tables,
            **arrays,
        }


of_run, load = ConceptRecord.of_run, ConceptRecord.load
