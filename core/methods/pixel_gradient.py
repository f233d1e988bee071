"""Cards of the methods that follow the gradient of the score back to pixels and token embeddings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import Cost, MethodInfo, Options

CELLS = 14


class PixelOptions(Options):
    """What all of them share."""

    cells: int = Field(
        CELLS, ge=2, le=64, description="cells along each side of the map for a model that doesn't show its own grid"
    )


class SaliencyOptions(PixelOptions):
    """Options of saliency."""

    norm: Literal["max", "l2"] = Field(
        "max", description="how the colours of a pixel become one size: the largest (as published) or the length"
    )


class InputGradientOptions(PixelOptions):
    """Options of input times gradient."""


class SmoothGradOptions(PixelOptions):
    """Options of SmoothGrad."""

    samples: int = Field(25, ge=1, le=1000, description="noisy copies of the picture")
    noise: float = Field(0.15, gt=0, le=2, description="spread of the noise, as a share of the picture's value range")
    norm: Literal["max", "l2"] = Field(
        "max", description="how the colours of a pixel become one size: the largest or the length"
    )


class IntegratedGradientsOptions(PixelOptions):
    """Options of integrated gradients."""

    steps: int = Field(32, ge=1, le=512, description="points on the way from the baseline to the input")
    baseline: Literal["black", "mean", "blur"] = Field(
        "black", description="where the way starts: black, the model's mean colour, or a blurred picture"
    )


SALIENCY = MethodInfo(
    name="saliency",
    title="Saliency",
    paper="Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks, arXiv:1312.6034, section 3",
    year=2013,
    family="gradient",
    idea="Takes the gradient of the image-text cosine with respect to every pixel. What you see is where the smallest "
    "change of the picture would move the score most, in either direction.",
    assumes="How strongly the score reacts to a tiny change says how much it rests on a place.",
    fails="Grainy, and blind to direction: a place that speaks against the text is as bright as one for it.",
    differs="The score is a cosine. Pixels are averaged over the cells of the model's own grid after the largest "
    "colour is taken. Texts: the length of the gradient at each token's embedding.",
    unit="cosine change per unit of input (at least 0)",
    sides={"image": ("embeddings",), "text": ("text_layers",)},
    schema=SaliencyOptions,
    cost_model=lambda options, depth: Cost(image=2.0, pair=2.0, text=2.0, text_pair=2.0),
)

INPUT_GRADIENT = MethodInfo(
    name="input_gradient",
    title="Input x gradient",
    paper="Shrikumar, Greenside, Shcherbina, Kundaje: Not Just a Black Box, arXiv:1605.01713",
    year=2016,
    family="gradient",
    idea="Multiplies each pixel by the gradient of the cosine there. What you see is what a place would bring if the "
    "score were the straight line that touches it at this picture.",
    assumes="The score is nearly linear between this picture and the one that preprocessing calls zero.",
    fails="Grainy. A pixel of the mean colour gets nothing, however important it is.",
    differs="The score is a cosine, the input is the normalised picture. Signed values are summed over colours and "
    "over the pixels of a cell. Texts: embedding times gradient at each token.",
    unit="cosine, linearised (signed)",
    sides={"image": ("embeddings",), "text": ("text_layers",)},
    schema=InputGradientOptions,
    cost_model=lambda options, depth: Cost(image=2.0, pair=2.0, text=2.0, text_pair=2.0),
    signed=True,
)

SMOOTHGRAD = MethodInfo(
    name="smoothgrad",
    title="SmoothGrad",
    paper="Smilkov, Thorat, Kim, Viegas, Wattenberg: SmoothGrad, arXiv:1706.03825, section 3",
    year=2017,
    family="gradient",
    idea="Averages the gradient over noisy copies of the picture and takes its size. What you see is where the score "
    "reacts in the same direction however the picture is disturbed a little.",
    assumes="The grain of a single gradient is noise of the model, and the average is its meaning.",
    fails="Each copy costs a walk back per text, and the picture depends on the noise that was chosen.",
    differs="One set of noisy copies serves all texts. The signed gradients are averaged before the size is taken; "
    "pixels are averaged over the cells of the model's own grid.",
    unit="cosine change per unit of input (at least 0)",
    sides={"image": ("embeddings",)},
    schema=SmoothGradOptions,
    cost_model=lambda options, depth: Cost(image=1.0 + options.samples, pair=2.0 * options.samples, text=1.0),
    deterministic=False,
)

INTEGRATED_GRADIENTS = MethodInfo(
    name="integrated_gradients",
    title="Integrated gradients",
    paper="Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks, ICML 2017, arXiv:1703.01365, eq. 1",
    year=2017,
    family="gradient",
    idea="Fades the picture in from a baseline and adds up how much each pixel moves the cosine on the way. The values "
    "sum to the difference between the picture's score and the baseline's.",
    assumes="The baseline means 'nothing', and the pictures on the way are ones that the model can judge.",
    fails="Another baseline gives another map; what equals the baseline gets nothing. Grainy on deep models.",
    differs="Points and weights by Gauss and Legendre, which meet the sum with fewer steps than equal ones; what is "
    "left over is kept. Values are summed over colours and over the pixels of a cell. Texts: from a text of the same "
    "length whose words are padding.",
    unit="cosine (signed; sums to the difference from the baseline)",
    sides={"image": ("embeddings",), "text": ("text_layers",)},
    schema=IntegratedGradientsOptions,
    cost_model=lambda options, depth: Cost(
        image=2.0 + options.steps,
        pair=2.0 * options.steps,
        text=3.0 + options.steps,
        text_pair=2.0 * options.steps,
    ),
    signed=True,
)

CARDS = (SALIENCY, INPUT_GRADIENT, SMOOTHGRAD, INTEGRATED_GRADIENTS)
