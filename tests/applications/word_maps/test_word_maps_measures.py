"""The table of word maps over several images: means and intervals over images, shares as absolute sums."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.applications.word_maps.chapter import modalities_told
from core.applications.word_maps.measures import MEASURES, MODALITIES, each_image, shares, word_maps_table
from core.applications.word_maps.record import INTERACTION, REST, SHARED, WordMapsRecord
from core.statistics import interval_of_means, spearman

WORDS = ("a", "dog", "mat", "cat")
IMAGES = 9


def drawn(seed: int = 0) -> WordMapsRecord:
    """Images whose words have random maps (3 x 3), those of the two procedures alike."""
    random = np.random.default_rng(seed)
    maps, texts = [], []
    for at in range(IMAGES):
        about = {"image": str(at), "image_name": f"{at}.png", "text": "a dog mat cat"}
        rest = {"way": SHARED, "place": REST, "word": "", "function": False, "effect": None}
        maps.append({**about, **rest, "map": random.normal(size=9).tolist()})
        for place, word in enumerate(WORDS):
            values = random.normal(size=9)
            for way, noise in ((INTERACTION, 0.0), (SHARED, 0.8)):
                row = {"way": way, "place": place, "word": word, "function": word == "a", "effect": 0.1}
                maps.append({**about, **row, "map": (values + noise * random.normal(size=9)).tolist()})
        texts.append(
            {**about, "words": 4, "functions": 1, "score": 0.3, "base": 0.1, "exact": True}
            | {"r2": 0.3 + 0.1 * random.random(), "r2_pairs": 0.5 + 0.1 * random.random()}
            | dict(zip(MODALITIES, random.dirichlet([3, 2, 1]), strict=True))
        )
    frame = pd.DataFrame(maps).assign(rows=3, columns=3)
    return WordMapsRecord({"method": "maskclip", "problems": []}, frame, pd.DataFrame(texts))


def literal(record: WordMapsRecord, image: str) -> dict[str, float]:
    """Every measure of an image, from its maps one by one."""
    of = {
        (row.way, row.word): np.array(row.map)
        for row in record.maps[record.maps.image == image].itertuples()
        if row.word
    }
    found = {}
    for way in (INTERACTION, SHARED):
        mass = {word: np.abs(of[way, word]).sum() for word in WORDS}
        found[f"function_{way}"] = mass["a"] / sum(mass.values()) - 1 / len(WORDS)
    pairs = {(a, b): spearman(of[INTERACTION, a], of[SHARED, b]) for a in WORDS[1:] for b in WORDS[1:]}
    found["same"] = float(np.mean([value for (a, b), value in pairs.items() if a == b]))
    found["other"] = float(np.mean([value for (a, b), value in pairs.items() if a != b]))
    found["beyond"] = found["same"] - found["other"]
    text = record.texts[record.texts.image == image].iloc[0]
    told = {"r2": text.r2, "r2_pairs": text.r2_pairs, "gain": text.r2_pairs - text.r2}
    return found | told | {name: text[name] for name in MODALITIES}


def test_the_measures_of_an_image_are_those_of_its_maps() -> None:
    record = drawn()
    each = each_image(record).set_index("image")
    for image in each.index:
        expected = literal(record, image)
        assert set(expected) == set(MEASURES)
        for name, value in expected.items():
            assert each.loc[image, name] == pytest.approx(value), name
    assert each.loc["0", "same"] != pytest.approx(literal(record, "1")["same"], abs=1e-3)


def test_the_table_is_over_images() -> None:
    record = drawn()
    each = [literal(record, str(at)) for at in range(IMAGES)]
    for row in word_maps_table(record).itertuples():
        values = np.array([one[row.measure] for one in each])
        share = (0.0, 1.0) if row.measure in MODALITIES else (-np.inf, np.inf)
        within = (-1.0, 1.0) if row.measure in ("same", "other") else share
        expected = interval_of_means(values, within=within)
        assert (row.value, row.low, row.high, row.n) == pytest.approx(
            (expected.value, expected.low, expected.high, IMAGES)
        )
    table, exchanged = (word_maps_table(one).set_index("measure") for one in (record, drawn(1)))
    assert table.loc["same", "value"] > 0.3 > table.loc["other", "high"]
    assert not np.allclose(table["value"], exchanged["value"], atol=1e-3)


def test_shares_leave_out_the_map_of_no_word_and_need_a_map() -> None:
    record = drawn()
    zero = record.maps.assign(
        map=[
            [0.0] * 9 if image == "3" else values
            for image, values in zip(record.maps["image"], record.maps["map"], strict=True)
        ]
    )
    owned = shares(WordMapsRecord(record.about, zero, record.texts))
    assert owned[owned.image == "3"]["share"].isna().all()
    assert owned[owned.image != "3"].groupby(["image", "way"])["share"].sum().to_numpy() == pytest.approx(1)
    row = each_image(WordMapsRecord(record.about, zero, record.texts)).set_index("image").loc["3"]
    assert np.isnan(row[["function_interaction", "same", "other"]].astype(float)).all() and row["gain"] > 0


def test_a_share_of_the_words_above_one_half_is_interpreted() -> None:
    record = drawn()
    told = modalities_told(
        word_maps_table(WordMapsRecord(record.about, record.maps, shared(record, (0.1, 0.77, 0.13))))
    )
    assert "the words alone explain 0.77" in told and "the image alone 0.10" in told and "both together 0.13" in told
    assert told.endswith("Maps of single words describe only the part that needs both.")
    # The companion: a share below one half, and a record that has none.
    image = modalities_told(word_maps_table(WordMapsRecord(record.about, record.maps, shared(record, (0.6, 0.2, 0.2)))))
    assert "the words alone explain 0.20" in image and "Which words" not in image
    nothing = WordMapsRecord(record.about, record.maps, record.texts.drop(columns=list(MODALITIES)))
    assert modalities_told(word_maps_table(nothing)) == ""


def shared(record: WordMapsRecord, values: tuple[float, float, float]) -> pd.DataFrame:
    """The texts of a record, each with the same shares of the modalities."""
    return record.texts.assign(**dict(zip(MODALITIES, values, strict=True)))
