"""Card of the sweep over layers: the blocks, and what M2IB's confidence measures are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from core.applications.card import ApplicationInfo
from core.applications.sampling import MOST_FORWARDS, SAMPLE_BUDGET, Sampled
from core.methods.info import MOST_LAYERS, MOST_SAMPLES

# The blocks that are chosen for a tower have between them two fifths of it behind the bottleneck, on average.
TAIL = 0.42
MOST_BLOCKS = 8


Layer = Annotated[int, Field(ge=-MOST_LAYERS, le=MOST_LAYERS)]


class LayerSweepOptions(Sampled):
    """Options of the sweep over layers. Layers are counted from 0, negative ones from the end."""

    forwards: int = Field(2400, ge=1, le=MOST_FORWARDS, description=SAMPLE_BUDGET)
    blocks: int = Field(
        3,
        ge=1,
        le=MOST_BLOCKS,
        description="number of blocks per tower, evenly spaced up to the third from the end, where none are named",
    )
    layers: tuple[Layer, ...] = Field(
        (),
        max_length=MOST_BLOCKS,
        description="blocks of the image tower before the bottleneck, beside the third from the end; none: as `blocks`",
    )
    text_layers: tuple[Layer, ...] = Field(
        (), max_length=MOST_BLOCKS, description="the same for the text tower; none: as `blocks`"
    )
    controls: int = Field(4, ge=1, le=100, description="random maps that each map is compared with")
    beta: float = Field(
        0.1, ge=0, le=1_000_000, description="weight β of the information term relative to the similarity"
    )
    steps: int = Field(10, ge=1, le=MOST_SAMPLES, description="optimisation steps")
    samples: int = Field(3, ge=1, le=MOST_SAMPLES, description="noise samples per step")
    prior: Literal["auto", "standard", "channel"] = Field(
        "auto", description="distribution of the noise, on both sides; see the options of the method"
    )

    @field_validator("layers", "text_layers")
    @classmethod
    def _different(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(layers)) < len(layers):
            raise ValueError("name every layer once")
        return layers


def _cost(options: LayerSweepOptions) -> float:
    blocks = 1 + len(options.layers) if options.layers else options.blocks
    return 1.0 + blocks * (TAIL * 3.0 * options.steps * options.samples + 1.0 + options.controls)


CARD = ApplicationInfo(
    name="layer_sweep",
    title="Information by layer",
    paper="Wang, Rudner, Wilson: Visual Explanations of Image-Text Representations via Multi-Modal Information "
    "Bottleneck Attribution, NeurIPS 2023, arXiv:2312.17174; confidence drop and increase after Chattopadhay et al., "
    "WACV 2018",
    year=2023,
    question="How much of the score is kept when only what a bottleneck's map highlights is shown, in the image and in "
    "the text, and does the choice of the block matter?",
    idea="The bottleneck is optimised at several blocks of each tower for each image and its own text. The map is then "
    "applied to the input: the image fades where its map is low, and of the text only the words above the median are "
    "kept. The drop is max(0, s - s') and the increase is 1 if s' is above s, where s is the cosine of the pair and "
    "s' that of the highlighted part with the whole other side. The same values in random positions are the control.",
    assumes="A good map at some block keeps what the score needs, and the model can judge a faded image and a text "
    "that lacks half of its words.",
    fails="A map that is high almost everywhere keeps almost everything: its drop is small without pointing anywhere. "
    "Only the comparison with the same values in random positions removes this. Nats of different blocks belong to "
    "different states and are not comparable in size.",
    differs="The release sets the ids of dropped tokens to 0, which is a token of its own in the vocabulary, and "
    "removes the start and end tokens also from the text that it compares with; here whole words leave the text, and "
    "both texts keep these tokens. Values of tokens are summed into words first. Maps of blocks with finer grids are "
    "averaged to the coarsest grid measured. The release has no control and one block.",
    needs=("image_layers",),
    inputs=({"captions": 1, "prompts": 1, "classes": 2},),
    schema=LayerSweepOptions,
    cost_model=_cost,
    fewest=2,
    efforts={"quick": {"forwards": 400, "blocks": 2, "samples": 1, "controls": 2}},
)
