"""captum (Kokhlikyan et al., 2020): what it offers for an image's places, through the cosine wrapper.

Methods that follow gradients take the image once for each text, as one batch with a target each. Methods that sample
take one target a call, and draw and run their samples again for every call; they are measured on the first text alone.
"""

from __future__ import annotations

import torch

from benchmarks.packages.problem import BATCH, Maps, Problem, cells_of, means


def _batch(problem: Problem) -> tuple[torch.Tensor, torch.Tensor]:
    return problem.pixels.expand(len(problem.texts), -1, -1, -1).clone(), torch.arange(len(problem.texts))


def layer_gradient_x_activation(problem: Problem) -> Maps:
    """Gradient times activation at the place where ours reads the element-wise Grad-CAM.

    captum's LayerGradCam averages over what follows the second axis, which are the channels of a transformer's tokens:
    it gives one number an image and no map. This is its class that does fit.
    """
    from captum.attr import LayerGradientXActivation

    layer = problem.model.net.visual.transformer.resblocks[-3]
    pixels, targets = _batch(problem)
    found = LayerGradientXActivation(problem.cosines(), layer).attribute(pixels, target=targets)
    maps = found.detach()[:, problem.model.image.prefix_tokens :].sum(dim=-1).clamp_min(0)
    return {"gradcam_element": maps.unflatten(-1, problem.grid).numpy()}


def layer_gradcam_shape(problem: Problem) -> tuple[int, ...]:
    """The shape of what LayerGradCam gives for a block of a vision transformer and one image."""
    from captum.attr import LayerGradCam

    layer = problem.model.net.visual.transformer.resblocks[-2]
    return tuple(LayerGradCam(problem.cosines(), layer).attribute(problem.pixels.clone(), target=0).shape)


def saliency(problem: Problem) -> Maps:
    """The size of the gradient at each pixel, the largest of the colours, averaged over places."""
    from captum.attr import Saliency

    pixels, targets = _batch(problem)
    found = Saliency(problem.cosines()).attribute(pixels.requires_grad_(), target=targets)
    return {"saliency": means(found.amax(dim=1), problem.grid)}


def input_x_gradient(problem: Problem) -> Maps:
    """Pixel times gradient, summed over colours, averaged over places."""
    from captum.attr import InputXGradient

    pixels, targets = _batch(problem)
    found = InputXGradient(problem.cosines()).attribute(pixels.requires_grad_(), target=targets)
    return {"input_gradient": means(found.sum(dim=1), problem.grid)}


def integrated_gradients(problem: Problem) -> Maps:
    """From the mean colour, `steps` points by the midpoint rule; one text after another, all points at once."""
    from captum.attr import IntegratedGradients

    explainer, maps = IntegratedGradients(problem.cosines()), []
    for target in range(len(problem.texts)):
        found = explainer.attribute(problem.pixels.clone(), baselines=0, target=target, n_steps=problem.steps)
        maps.append(found.sum(dim=1))
    return {"integrated_gradients": means(torch.cat(maps), problem.grid)}


def kernel_shap(problem: Problem) -> Maps:
    """KernelSHAP over cells, hidden ones in the mean colour: `few` samples of the first text."""
    from captum.attr import KernelShap

    torch.manual_seed(0)
    with torch.no_grad():
        found = KernelShap(problem.cosines()).attribute(
            problem.pixels,
            baselines=0,
            target=0,
            feature_mask=problem.cell_mask(),
            n_samples=problem.few,
            perturbations_per_eval=BATCH,
        )
    return {"kernel_shap": cells_of(found[:, 0], problem.cells)}


def lime(problem: Problem) -> Maps:
    """LIME over cells, hidden ones in the mean colour: `few` samples of the first text."""
    from captum.attr import Lime

    torch.manual_seed(0)
    with torch.no_grad():
        found = Lime(problem.cosines()).attribute(
            problem.pixels,
            baselines=0,
            target=0,
            feature_mask=problem.cell_mask(),
            n_samples=problem.few,
            perturbations_per_eval=BATCH,
        )
    return {"lime": cells_of(found[:, 0], problem.cells)}
