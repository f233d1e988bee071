"""Reads what the stage `concepts` wrote, and draws the map of any concept from it. No torch.

Files: `concepts.parquet` (name, title, gloss, lemmas, listed, parents), `crops.npy` (pictures, crops, embedding; fp16),
`glosses.npy`, `pictures.npy`, `own.npy`, `presence.npy` and `best.npy` (pictures, concepts), `pictures.parquet`
(image, image_name, fit), `top.parquet`, `rebuilt.parquet` (the columns of `core.applications.splice`; a row a picture)
and `about.json`. A record of an earlier version has no `rebuilt.parquet`, and then nothing is said of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.concepts.graph import ConceptGraph
from core.concepts.lattice import Lattice
from core.concepts.relevance import ConceptMap, chance, concept_map, similarities
from core.errors import RunError

FOLDER = Path("applications") / "concepts"


@dataclass(frozen=True)
class ConceptRecord:
    """The concepts of a run. Arrays are indexed by picture, then by crop or concept; `crops` stays on the disk.

    `own` is the share of a picture where the concept's own gloss is among the top 1 %; `presence` and `best` (highest
    score of a crop) count everything below it too.
    """

    graph: ConceptGraph
    about: dict[str, Any]
    pictures: pd.DataFrame
    top: pd.DataFrame
    rebuilt: pd.DataFrame
    crops: NDArray[np.float16]
    glosses: NDArray[np.float16]
    whole: NDArray[np.float32]
    own: NDArray[np.float32]
    presence: NDArray[np.float32]
    best: NDArray[np.float32]

    @property
    def lattice(self) -> Lattice:
        """Where the crops lie."""
        return Lattice(int(self.about["cells"]))

    def picture(self, image: str) -> int:
        """The place of a picture by its id. Raises `RunError` if the record doesn't have it."""
        found = np.flatnonzero((self.pictures["image"] == image).to_numpy())
        if not len(found):
            raise RunError(f"the concepts of this run don't have the picture {image}")
        return int(found[0])

    def cosines(self, picture: int) -> NDArray[np.float32]:
        """Cosines `(crops, concepts)` of one picture."""
        return similarities(self.crops[picture], self.glosses)

    def map(self, concept: int, picture: int) -> ConceptMap:
        """The map of a concept, everything below it included, over one picture."""
        return self.map_from(self.cosines(picture), concept)

    def map_from(self, cosines: NDArray[np.float32], concept: int) -> ConceptMap:
        """`map` from the `cosines` of a picture, for many concepts of one picture."""
        return concept_map(cosines, self.graph.members(concept), self.lattice, self.about["scale_weight"])

    def cosine(self, concept: int) -> NDArray[np.float32]:
        """The highest cosine of each whole picture with the gloss of the concept or of anything below it."""
        return similarities(self.whole, self.glosses[self.graph.members(concept)]).max(axis=1)

    def chance(self, concept: int) -> float:
        """The presence that a random ranking would give the concept."""
        return chance(len(self.graph), len(self.graph.members(concept)))


def load(folder: Path) -> ConceptRecord | None:
    """The record in the run directory `folder`, None if the run has none. Raises `RunError` if it is damaged."""
    place = folder / FOLDER
    if not (place / "about.json").exists():
        return None
    try:
        about = json.loads((place / "about.json").read_text())
        arrays = {
            name: np.load(place / f"{name}.npy", allow_pickle=False)
            for name in ("glosses", "pictures", "own", "presence", "best")
        }
        return ConceptRecord(
            graph=ConceptGraph.from_frame(pd.read_parquet(place / "concepts.parquet"), about["source"]),
            about=about,
            pictures=pd.read_parquet(place / "pictures.parquet"),
            top=pd.read_parquet(place / "top.parquet"),
            rebuilt=pd.read_parquet(again) if (again := place / "rebuilt.parquet").exists() else pd.DataFrame(),
            crops=np.load(place / "crops.npy", mmap_mode="r", allow_pickle=False),
            whole=arrays.pop("pictures"),
            **arrays,
        )
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"the concepts of {folder} can't be read ({error}); run that part again") from error
