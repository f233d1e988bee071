"""Cards of the methods that follow the gradient of the score back to pixels and token embeddings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods.info import Cost, MethodInfo, Options

CELLS = 14


class PixelOptions(Options):
    """What all of them share."""

    cells: int = Field(
        CELLS, ge=2, le=64, description="cells along each side of the map for a model that does not expose its own grid"
    )


class SaliencyOptions(PixelOptions):
    """Options of saliency."""

    norm: Literal["max", "l2"] = Field(
        "max",
        description="how the colour channels of a pixel are combined: the largest absolute value (as "
        "published) or the length",
    )


class InputGradientOptions(PixelOptions):
    """Options of input times gradient."""


class SmoothGradOptions(PixelOptions):
    """Options of SmoothGrad."""

    samples: int = Field(25, ge=1, le=1000, description="noisy copies of the image")
    noise: float = Field(
        0.15, gt=0, le=2, description="standard deviation of the noise, as a share of the image's range of values"
    )
    norm: Literal["max", "l2"] = Field(
        "max", description="how the colour channels of a pixel are combined: the largest absolute value or the length"
    )


class IntegratedGradientsOptions(PixelOptions):
    """Options of integrated gradients."""

    steps: int = Field(32, ge=1, le=512, description="points on the path from the baseline to the input")
    baseline: Literal["black", "mean", "blur"] = Field(
        "black", description="start of the path: black, the model's mean colour, or a blurred image"
    )


SALIENCY = MethodInfo(
    name="saliency",
    title="Saliency",
    paper="Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks, arXiv:1312.6034, section 3",
    year=2013,
    family="gradient",
    idea="Takes the gradient of the image-text cosine with respect to every pixel. What you see is where the "
    "smallest change of the image would change the score most, in either direction.",
    assumes="How strongly the score reacts to a tiny change indicates how much it depends on a region.",
    fails="Grainy and without direction: a region that counts against the text is as bright as one that counts for it.",
    differs="The score is a cosine. Pixels are averaged over the cells of the model's own grid after taking the "
    "largest colour channel. Texts: the length of the gradient at the embedding of each token.",
    unit="cosine change per unit of input (at least 0)",
    sides={"image": ("embeddings", "gradients"), "text": ("text_layers",)},
    schema=SaliencyOptions,
    cost_model=lambda options, depth: Cost(image=2.0, pair=2.0, text=2.0, text_pair=2.0),
)

INPUT_GRADIENT = MethodInfo(
    name="input_gradient",
    title="Input x gradient",
    paper="Shrikumar, Greenside, Shcherbina, Kundaje: Not Just a Black Box, arXiv:1605.01713",
    year=2016,
    family="gradient",
    idea="Multiplies each pixel by the gradient of the cosine there. What you see is what a region would contribute "
    "if the score were linear around this image.",
    assumes="The score is nearly linear between this image and the image that preprocessing maps to zero.",
    fails="Grainy. A pixel of the mean colour gets zero, however important it is.",
    differs="The score is a cosine, and the input is the normalised image. Signed values are summed over colour "
    "channels and over the pixels of a cell. Texts: embedding times gradient at each token.",
    unit="cosine, linearised (signed)",
    sides={"image": ("embeddings", "gradients"), "text": ("text_layers",)},
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
    idea="Averages the gradient over noisy copies of the image and takes its absolute value. What you see is where "
    "the score reacts in the same direction under small disturbances of the image.",
    assumes="The grain of a single gradient is noise, and the average is the signal.",
    fails="Each copy needs one backward pass per text, and the map depends on the chosen level of noise.",
    differs="One set of noisy copies serves all texts. The signed gradients are averaged before the absolute value "
    "is taken; pixels are averaged over the cells of the model's own grid.",
    unit="cosine change per unit of input (at least 0)",
    sides={"image": ("embeddings", "gradients")},
    schema=SmoothGradOptions,
    cost_model=lambda options, depth: Cost(image=1.0 + options.samples, pair=2.0 * options.samples, text=1.0),
    deterministic=False,
    efforts={"quick": {"samples": 5}, "standard": {"samples": 10}},
    coarse={"samples": 4},
)

INTEGRATED_GRADIENTS = MethodInfo(
    name="integrated_gradients",
    title="Integrated gradients",
    paper="Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks, ICML 2017, arXiv:1703.01365, eq. 1",
    year=2017,
    family="gradient",
    idea="Fades the image in from a baseline and adds up how much each pixel changes the cosine along the path. The "
    "values sum to the difference between the score of the image and that of the baseline.",
    assumes="The baseline represents the absence of information, and the model can judge the images on the path.",
    fails="A different baseline gives a different map; pixels that equal the baseline get zero. Grainy on deep models.",
    differs="Gauss-Legendre points and weights, which reach the sum with fewer steps than equally spaced points; the "
    "remaining difference is reported. Values are summed over colour channels and over the pixels of a cell. Texts: "
    "the baseline is a text of the same length made of padding tokens.",
    unit="cosine (signed; sums to the difference from the baseline)",
    sides={"image": ("embeddings", "gradients"), "text": ("text_layers",)},
    schema=IntegratedGradientsOptions,
    cost_model=lambda options, depth: Cost(
        image=2.0 + options.steps,
        pair=2.0 * options.steps,
        text=3.0 + options.steps,
        text_pair=2.0 * options.steps,
    ),
    signed=True,
    efforts={"quick": {"steps": 8}, "standard": {"steps": 16}},
    coarse={"steps": 5},
)

CARDS = (SALIENCY, INPUT_GRADIENT, SMOOTHGRAD, INTEGRATED_GRADIENTS)
