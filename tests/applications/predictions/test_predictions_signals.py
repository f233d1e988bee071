"""Every signal of a prediction, against a plain loop over images and classes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.applications.predictions.score import implausibility
from core.applications.predictions.signals import signals
from tests.support.captioned import unit_rows


def test_every_signal_is_that_of_a_plain_loop() -> None:
    random = np.random.default_rng(4)
    images, classes = unit_rows(random, 7, 6), unit_rows(random, 4, 6)
    copies = np.stack([unit_rows(random, 7, 6), images, unit_rows(random, 7, 6)])
    each = np.stack([unit_rows(random, 4, 6), classes])
    found = signals(images, copies, classes, each, 3.0, 2)
    mean = [sum(image[d] for image in images) / 7 for d in range(6)]
    centred = [[image[d] - mean[d] for d in range(6)] for image in images]

    def softmax(at: int) -> list[float]:
        powers = [math.exp(3.0 * float(images[at] @ one)) for one in classes]
        return [power / sum(powers) for power in powers]

    def near(a: int, b: int) -> float:
        x, y = np.array(centred[a]), np.array(centred[b])
        return float(x @ y / np.sqrt((x @ x) * (y @ y)))

    for at, image in enumerate(images):
        scores = [float(image @ one) for one in classes]
        order = sorted(range(4), key=lambda position: -scores[position])
        best, likely = order[0], softmax(at)
        assert (found.best[at], found.second[at]) == (best, order[1])
        assert found.similarity[at] == pytest.approx(scores[best])
        assert found.margin[at] == pytest.approx((scores[best] - scores[order[1]]) / np.std(scores))
        assert found.probability[at] == pytest.approx(likely[best])
        assert found.entropy[at] == pytest.approx(-sum(p * math.log(p) for p in likely) / math.log(4))
        under = [int(np.argmax([copy[at] @ one for one in classes])) for copy in copies]
        assert found.disturbed[at].tolist() == under and found.disturbances[at] == pytest.approx(
            np.mean([other == best for other in under])
        )
        words = [int(np.argmax([image @ one for one in template])) for template in each]
        assert found.templates[at] == pytest.approx(np.mean([other == best for other in words]))
        nearest = sorted((other for other in range(7) if other != at), key=lambda other: -near(at, other))[:2]
        assert found.neighbours[at] == pytest.approx(np.mean([softmax(other)[best] for other in nearest]))
    # The companion: with the classes in another order the best ones are others.
    assert signals(images, copies, classes[::-1], each, 3.0, 2).best.tolist() != found.best.tolist()


def test_without_copies_and_templates_their_shares_are_unknown() -> None:
    random = np.random.default_rng(0)
    found = signals(unit_rows(random, 3, 4), np.empty((0, 3, 4)), unit_rows(random, 2, 4), np.empty((0, 2, 4)), 1.0, 9)
    assert np.isnan(found.disturbances).all() and np.isnan(found.templates).all() and found.disturbed.shape == (3, 0)


def test_the_score_rises_with_what_speaks_against_a_prediction() -> None:
    def score(entropy: float, disturbances: float, neighbours: float, relation: str) -> float:
        return float(implausibility(*(np.array([x]) for x in (entropy, disturbances, neighbours)), [relation])[0])

    clear = score(0.2, 1.0, 0.6, "")
    assert clear < score(0.6, 1.0, 0.6, "") < score(0.6, 0.5, 0.6, "") < score(0.6, 0.5, 0.1, "")
    assert score(0.6, 0.5, 0.1, "named") < score(0.6, 0.5, 0.1, "broader") < score(0.6, 0.5, 0.1, "none")
    assert clear < 0.5 < score(0.4, 0.75, 0.2, "other") and score(0.9, 0.0, 0.0, "named") < 0.5
    assert score(0.4, float("nan"), 0.2, "") == score(0.4, 1.0, 0.2, "")
