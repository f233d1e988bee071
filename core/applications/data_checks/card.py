"""Card of the checks of images and texts."""

from __future__ import annotations

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.info import OptionalLine, Options


class DataOptions(Options):
    """Options of the checks of images and texts: all images and all texts are read."""

    reference: OptionalLine = Field(
        None, description="id of the reference images that the run holds; set by --reference-images"
    )


CARD = ApplicationInfo(
    name="data_checks",
    title="Images and texts",
    paper="image issues as defined by cleanvision 0.3.7 (Cleanlab); languages by py3langid after Lui and Baldwin: "
    "langid.py, ACL 2012",
    year=2012,
    question="Are the images sound, different from each other and of one kind, and the texts in one language?",
    idea="Brightness, sharpness, entropy, size and shape are measured on every image. Copies are found by aligning "
    "reduced images, so that resized, recompressed and cropped copies are found too. An image is of another kind if "
    "its colours or its texture lie far from those of the other images, and the images nearest to it by the "
    "cosine of the model's embeddings, whose mean is kept here, do too.",
    assumes="Most images are sound and of one kind; the rest is compared with them.",
    fails="Photographs of another subject in the same style are of the same kind here. A night scene is dark "
    "by nature. Copies that are rotated, mirrored or cropped by more than a fifth of a side are not found. Texts of "
    "fewer than four words have no reliable language.",
    differs="The definitions and limits of cleanvision are computed here, on images reduced to 512 pixels; the package "
    "itself depends on plotting libraries and is not used. An image is grey if its channels are equal, whatever the "
    "mode of its file. Faces are not detected: no well-maintained detector with weights could be included.",
    needs=("stored",),
    schema=DataOptions,
    cost_model=lambda options: 0.0,
    embeds=True,
    reference="reference",
)
