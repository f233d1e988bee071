"""What stands beside other packages is the same problem, counted by the same rules; one pool serves all that hides.

Nothing is timed. What needs a package is skipped where it isn't installed. Every tolerance has a companion that fails.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import memory, peer_ways, peers
from benchmarks.one_pool import shared_pool
from benchmarks.packages import with_captum, with_grad_cam, with_legrad, with_shap
from benchmarks.packages.problem import Problem, lively_problem
from benchmarks.rise_ranks import OTHER_SEED, _hard_reference, ranks
from benchmarks.support.tiny import TEXTS, Zoo, fresh, pixels, tiny_model
from benchmarks.work_done import counted, forward_operations
from core import explain
from core.attribution.explain import attribute
from core.methods import METHODS
from core.models.model import Model
from core.models.trunk import ImageTrunk
from core.statistics import spearman


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny-models")
    return lambda family: tiny_model(family, folder)


@pytest.fixture
def problem(zoo: Zoo) -> Problem:
    """A problem on a model of its own: packages change what they are given."""
    model = fresh(zoo("vit"))
    return lively_problem(model, pixels(model, 1), list(TEXTS), samples=64, few=16, steps=4, cells=4)


def rank(one: Any, other: Any) -> float:
    """Mean rank correlation over texts."""
    found = [spearman(own, given) for own, given in zip(one, other, strict=True)]
    assert all(value is not None for value in found)
    return float(np.mean([value for value in found if value is not None]))


def ours(problem: Problem, method: str, **options: Any) -> Any:
    found = attribute(problem.work(), method, [], sides=("image",), **options).image
    assert found is not None
    return found[0]


# -- the problem and the count -----------------------------------------------------------------------------------


def test_the_wrapper_gives_the_cosines_that_ours_explains(problem: Problem) -> None:
    with torch.no_grad():
        found = problem.cosines()(problem.pixels)
    expected = problem.work().scores
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found.flip(1), expected, atol=1e-3)


def test_work_is_counted_in_plain_forwards(problem: Problem) -> None:
    model, image = problem.model, problem.pixels
    with counted(model, image) as done, torch.no_grad():
        model.image.plain(image.expand(3, -1, -1, -1))
    assert done.operations == pytest.approx(3) and done.hooked == pytest.approx(3) and done.metered == 0
    # Back to the pixels without weights is one more forward; with weights it is two.
    back = {}
    for trained in (False, True):
        model.net.requires_grad_(trained)
        leaf = image.clone().requires_grad_()
        with counted(model, image) as done:
            model.image.plain(leaf).sum().backward()
        back[trained] = done.operations
        assert done.hooked == pytest.approx(3)
    model.net.zero_grad(set_to_none=True)
    assert back[False] == pytest.approx(2, abs=0.1) and back[True] == pytest.approx(3, abs=0.1)
    # The trunk takes the tower apart; its products are the same.
    with counted(model, image) as done:
        ImageTrunk(model, image).final.sum()
    assert done.metered == 1 and done.operations == pytest.approx(1, abs=0.05)
    assert forward_operations(model, image) > 0
    assert torch.backends.mha.get_fastpath_enabled()


def test_tails_of_many_texts_are_counted_though_they_share_a_graph(problem: Problem) -> None:
    spent = {}
    for count in (1, 3):
        some = replace(problem, texts=problem.texts[:count], units=problem.units[:count])
        with counted(problem.model, problem.pixels) as done:
            ours(some, "legrad")
        spent[count] = done
    depth = problem.model.image.depth
    assert spent[3].metered - spent[1].metered == pytest.approx(2 * 2 * 2 / depth)
    # Two blocks back for each further text, without weights: at most one forward of each.
    further = (spent[3].operations - spent[1].operations) / 2
    assert 0.2 * 2 / depth < further < 2 / depth


def test_each_map_of_the_group_adds_little_but_its_tails(problem: Problem) -> None:
    told = peer_ways.each_of_the_group(problem)
    assert list(told) == ["the image itself", *peer_ways.DENSE, *peer_ways.GRADIENT]
    assert told["the image itself"]["forwards"] == 1
    assert told["raw"] == {"forwards": 0, "operations": pytest.approx(0, abs=0.05)}
    whole = peer_ways.WAYS["group"].run
    with counted(problem.model, problem.pixels) as done:
        whole(problem)
    assert done.metered == pytest.approx(sum(one["forwards"] for one in told.values()), abs=0.01)
    assert done.operations == pytest.approx(sum(one["operations"] for one in told.values()), abs=0.05)


# -- one pool ----------------------------------------------------------------------------------------------------


def test_one_pool_serves_everything_that_hides_places_for_all_texts(zoo: Zoo) -> None:
    model = zoo("vit")
    image = pixels(model, 1)
    sizes = {"masks": 40, "extra": 20, "steps": 4}
    served, maps = shared_pool(model, image, list(TEXTS), **sizes)
    alone, _ = shared_pool(model, image, [TEXTS[0]], **sizes)
    added = {one.name: one.added for one in served}
    spent = {one.name: one.forwards for one in served}
    assert spent.pop("the image itself") == 1
    # What comes later pays only for what nobody asked before.
    assert 0 < added["rise"] <= 40 and 0 < added["kernel_shap"] <= 20 + 2
    assert added["lime"] == added["faithfulness correlation and its ceiling"] == 0
    assert spent["lime"] == spent["faithfulness correlation and its ceiling"] == 0
    # A coalition costs as much as it keeps.
    assert all(spent[name] <= added[name] for name in spent)
    # Texts share the coalitions of all three methods; only the orders of their maps are their own.
    assert [one.added for one in alone[:4]] == [one.added for one in served[:4]]
    assert [one.forwards for one in alone[:4]] == pytest.approx([one.forwards for one in served[:4]])
    # Each by itself gives the same maps and pays for all that it asks.
    asked = {"rise": {"masks": 40}, "kernel_shap": {"masks": 40, "extra": 20}, "lime": {"masks": 40}}
    apart = 0.0
    for method, options in asked.items():
        with model.meter.measuring() as own:
            found = explain(model, image, list(TEXTS), method, sides=["image"], **options).image
        assert found is not None and np.allclose(found[0], maps[method], atol=1e-6)
        assert not np.allclose(found[0][::-1], maps[method], atol=1e-4)
        apart += own.image - 1
    together = spent["rise"] + spent["kernel_shap"] + spent["lime"]
    assert together < 0.6 * apart


def test_ranks_are_judged_by_what_rise_gives_with_another_seed(problem: Problem) -> None:
    hard, centred = _hard_reference(problem, 64, 32)
    work = replace(problem.work(), seed=OTHER_SEED)
    found = attribute(work, "rise", [], sides=("image",), masks=64, cells=4).image
    assert found is not None and np.allclose(found[0], hard, atol=1e-5)
    assert not np.allclose(ours(problem, "rise", masks=64, cells=4), hard, atol=1e-3)
    assert centred.shape == hard.shape and rank(centred, hard) > 0.3
    told = ranks(problem, problem.pixels, 32, 16)
    assert told["images"] == 1 and set(told["rank_correlation"]) == set(told["each image"][0])
    assert all(-1 <= value <= 1 for value in told["rank_correlation"].values())
    assert told["forwards"]["published masks"] == pytest.approx(16 + 1, abs=1)


# -- LeGrad, written out -----------------------------------------------------------------------------------------


def test_legrad_written_out_in_float64_is_ours(problem: Problem) -> None:
    expected = with_legrad.literal(problem)["legrad"]
    found = ours(problem, "legrad")
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-7)
    assert not np.allclose(found.transpose(0, 2, 1), expected, rtol=0.05)
    assert not np.allclose(found[::-1], expected, rtol=0.05)
    assert not np.allclose(with_legrad.literal(problem, layers=1)["legrad"], expected, rtol=0.05)


def test_the_package_permutes_batch_and_tokens_and_is_right_once_that_is_undone(problem: Problem) -> None:
    pytest.importorskip("legrad")
    told = with_legrad.verdict(problem)
    assert told["ours"]["largest_difference"] < 1e-3
    assert told["legrad_torch, axes put right"]["largest_difference"] < 1e-2
    assert told["legrad_torch"]["largest_difference"] > 0.1
    assert told["embedding_cosine"] < 0.99


# -- packages ----------------------------------------------------------------------------------------------------


def test_captum_agrees_where_it_asks_the_same(problem: Problem) -> None:
    pytest.importorskip("captum")
    assert rank(with_captum.saliency(problem)["saliency"], ours(problem, "saliency")) > 0.999
    found = with_captum.input_x_gradient(problem)["input_gradient"]
    assert rank(found, ours(problem, "input_gradient")) > 0.999
    assert rank(-found, ours(problem, "input_gradient")) < 0
    found = with_captum.integrated_gradients(problem)["integrated_gradients"]
    assert rank(found, ours(problem, "integrated_gradients", steps=4, baseline="mean")) > 0.95
    found = with_captum.layer_gradient_x_activation(problem)["gradcam_element"]
    assert rank(found, ours(problem, "gradcam", weighting="element")) > 0.999
    # Its Grad-CAM takes the tokens for channels and the channels for places: no map.
    assert with_captum.layer_gradcam_shape(problem) == (1, 1, 64)
    assert with_captum.kernel_shap(problem)["kernel_shap"].shape == (1, 4, 4)
    assert with_captum.lime(problem)["lime"].shape == (1, 4, 4)


def test_grad_cam_agrees_where_it_asks_the_same(problem: Problem) -> None:
    pytest.importorskip("pytorch_grad_cam")
    for way, options in ((with_grad_cam.gradcam, {}), (with_grad_cam.hirescam, {"weighting": "element"})):
        expected = ours(problem, "gradcam", **options)
        (found,) = way(problem).values()
        # Stretched to 0..1 and enlarged: the shape stays.
        alike = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in zip(found, expected, strict=True)]
        assert min(alike) > 0.99
        swapped = zip(found, expected.transpose(0, 2, 1), strict=True)
        assert min(np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in swapped) < 0.9


def test_shap_asks_once_for_all_texts(problem: Problem) -> None:
    pytest.importorskip("shap")
    some = replace(problem, samples=400)
    with counted(problem.model, problem.pixels) as done:
        found = with_shap.kernel(some)["kernel_shap"]
    assert found.shape == (len(TEXTS), 4, 4) and 300 < done.hooked < 500
    assert rank(found, ours(problem, "kernel_shap", masks=200, extra=200, cells=4, removal="mean")) > 0.7


# -- rows --------------------------------------------------------------------------------------------------------


def test_every_pair_names_ways_that_exist() -> None:
    for part, pairs in peer_ways.PARTS.items():
        assert part in peers.PARTS
        for pair in pairs:
            assert peer_ways.WAYS[pair.ours].package == "Loupe"
            assert all(peer_ways.WAYS[way].package != "Loupe" for way in pair.theirs)
    assert {*peer_ways.GRADIENT, *peer_ways.DENSE} == set(peer_ways.GROUP)
    assert all(name in METHODS for name, _ in peer_ways.GROUP.values())
    assert peer_ways.ways_of(["channels"]) == ["score_cam", "grad_cam.scorecam"]


def test_rows_add_up_and_say_what_failed(tmp_path: Any) -> None:
    spent = {"forwards": 20.0, "operations": 20.0, "seconds": 4.0, "processor_seconds": 3.0, "peak_bytes": 2**21}
    ways: dict[str, dict[str, Any]] = {
        "own": {"package": "Loupe", "title": "own", **spent, "forwards": 2.5, "factor": 1},
        "a": {"package": "a", "title": "first", **spent, "factor": 1},
        "b": {"package": "b", "title": "second", **spent, "factor": 8},
        "c": {"failed": "no such module"},
    }
    maps = np.arange(8.0).reshape(1, 2, 4)
    np.savez(tmp_path / "own.npz", m=maps)
    np.savez(tmp_path / "a.npz", m=np.kron(maps, np.ones((1, 3, 3))))
    one = peers.beside(peer_ways.Pair("one", ("a",), "own"), ways, tmp_path)
    assert one["ratio"]["forwards"] == 8 and one["agreement"] == pytest.approx(1) and not one["multiplied"]
    np.savez(tmp_path / "a.npz", m=-maps)
    assert peers.agreement(tmp_path / "own.npz", tmp_path / "a.npz") == pytest.approx(-1)
    both = peers.beside(peer_ways.Pair("both", ("a", "b"), "own"), ways, tmp_path)
    assert both["ratio"]["forwards"] == 16 and both["agreement"] is None and both["multiplied"]
    failed = peers.beside(peer_ways.Pair("none", ("a", "c"), "own"), ways, tmp_path)
    lines = peers.table([one, both, failed]).splitlines()
    assert "8.0 x" in lines[2] and "(multiplied)" in lines[3] and "c: no such module" in lines[4]
    assert {line.count("|") for line in lines} == {10}
    drawn = peers.chart([one, both, failed]).to_dict()
    assert len(next(iter(drawn["datasets"].values()))) == 4


def test_figures_that_are_kept_are_used_again_for_the_same_question_alone(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def child(one: dict[str, Any]) -> dict[str, Any]:
        asked.append(one)
        return {"failed": "no luck"} if one["way"] == "b" else {"forwards": len(asked)}

    monkeypatch.setattr(peers, "child", child)
    assert [peers.once({"texts": 2}, "a", tmp_path)["forwards"] for _ in range(2)] == [1, 1]
    assert peers.once({"texts": 3}, "a", tmp_path) == {"forwards": 2}
    assert all(peers.once({"texts": 2}, "b", tmp_path) == {"failed": "no luck"} for _ in range(2))
    assert [one["way"] for one in asked] == ["a", "a", "b", "b"]


def test_memory_is_measured_with_options_that_every_method_knows(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(memory.FEW) <= set(METHODS)
    for method, options in memory.FEW.items():
        METHODS[method].parse(options)
    assert len(set(memory.texts_of(30))) == 30
    net = zoo("vit")
    monkeypatch.setattr(memory, "loaded", lambda name: net)
    row = memory.measured("lime", "any", 2, 1)
    assert row["sides"] == ["image"] and row["text_forwards"] == 2 and row["peak_bytes"] >= 0
    lines = memory.table([row, {**row, "peak_bytes": 2**31}, {"method": "gae", "not_run": "no attention"}]).splitlines()
    assert "2048 MB (over the limit)" in lines[2] and "over" not in lines[3] and "not run: no attention" in lines[4]


def test_a_model_that_cant_serve_a_method_is_a_row(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    net: Model = zoo("resnet_clip")
    monkeypatch.setattr(memory, "loaded", lambda name: net)
    assert "legrad" in memory.measured("legrad", "any", 2, 1)["not_run"]
