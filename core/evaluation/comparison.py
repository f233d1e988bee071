"""Two runs side by side on the same images and texts: trust, maps and scores of their models. No torch."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.drafts import write_whole
from core.errors import InputError, RunError, first_line
from core.evaluation.agreement import stored_grid, top_overlap
from core.evaluation.gains import above_floor
from core.evaluation.tables import ModelMapsRow, ModelScoresRow, ModelsRow
from core.runs import SCHEMA, Run
from core.runs.manifest import write_json
from core.runs.rows import OptionalSingles, columns_of, typed
from core.statistics import interval_of_means, mean_over_images, sign_flip_p, spearman
from core.statistics.families import MODELS
from core.statistics.intervals import CORRELATION

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

FILE = "comparison.json"
# The rows of the other runs, so that a comparison can be made again without them.
ROWS = "compared"
ROW_COLUMNS = (
    "image", "text", "text_kind", "kind", "method", "status", "score", "faithfulness", "rows", "columns", "map",
)  # fmt: skip
KEY = ["image", "text", "text_kind"]
COLUMNS = {
    "trust": columns_of(ModelsRow),
    "maps": columns_of(ModelMapsRow),
    "scores": columns_of(ModelScoresRow),
}


class _MapsOfBoth(NamedTuple):
    image: str
    map: OptionalSingles
    rows: float
    columns: float
    map_other: OptionalSingles
    rows_other: float
    columns_other: float


@dataclass(frozen=True)
class Comparison:
    """What another run, `other`, measures on the same images: tables of the rows in `core.evaluation.tables`.

    trust: of ModelsRow, differences of this run less the other. maps: of ModelMapsRow. scores: of ModelScoresRow.
    rows: what the other run measured, `ROW_COLUMNS` of its rows on these images; None for a stored comparison.
    file, sha256: where the run keeps these rows; empty for a comparison that an earlier version stored.
    """

    own: str
    other: str
    other_run: str
    images: int
    trust: pd.DataFrame
    maps: pd.DataFrame
    scores: pd.DataFrame
    only_one: tuple[tuple[str, str], ...]  # (method, the model that ran it)
    other_plan: str = ""
    other_model: str = ""
    file: str = ""
    sha256: str = ""
    rows: pd.DataFrame | None = field(default=None, compare=False)


def compare(run: Run, other: Run) -> Comparison:
    """Compare two runs on the images and texts that both explained; of each, values below the floor of its gain are
    left out, as in its summary.

    Raises `InputError` if they have no image in common or show the same model.
    """
    own_name, other_name = model_name(run), model_name(other)
    if run.manifest.get("model", {}).get("digest") == other.manifest.get("model", {}).get("digest"):
        raise InputError(f"{run.id} and {other.id} audit the same model ({own_name}); compare runs of two models")
    ours, theirs = run.results(), above_floor(other.results())[0]
    theirs = theirs.loc[theirs.image.isin(set(ours.image)), list(ROW_COLUMNS)]
    if theirs.empty:
        raise InputError(f"{run.id} and {other.id} have no image in common; compare runs on the same dataset")
    told = {
        "own": own_name,
        "other": other_name,
        "other_run": other.id,
        "other_plan": other.plan.digest,
        "other_model": str(other.manifest.get("model", {}).get("digest") or ""),
    }
    return compared(ours, theirs.reset_index(drop=True), told)


def compared(ours: pd.DataFrame, theirs: pd.DataFrame, told: dict[str, str]) -> Comparison:
    """The comparison of a run's rows with the `rows` of a comparison; `told` names the two, as its fields do."""
    rows, (ours, _) = theirs, above_floor(ours)
    both = set(ours.image) & set(theirs.image)
    ours, theirs = ours[ours.image.isin(both)], theirs[theirs.image.isin(both)]
    methods = _ran(ours), _ran(theirs)
    own_name, other_name = told["own"], told["other"]
    return Comparison(
        **told,
        rows=rows,
        images=len(both),
        trust=_trust(ours, theirs),
        maps=_maps(ours, theirs),
        scores=_scores(ours, theirs),
        only_one=tuple(
            (name, own_name if name in methods[0] else other_name) for name in sorted(methods[0] ^ methods[1])
        ),
    )


def model_name(run: Run) -> str:
    """How a run's model is named."""
    return run.manifest.get("model", {}).get("title") or run.plan.model.title


def save_comparisons(run: Run, comparisons: list[Comparison]) -> None:
    """Keep comparisons in the run, so that its report can be made, and checked, without the other runs."""
    folder = run.folder / ROWS
    listed, wanted = [], set()
    for one in comparisons:
        values = comparison_values(one)
        if one.rows is not None:
            data = _parquet(one.rows)
            digest = hashlib.sha256(data).hexdigest()
            name = f"{digest[:32]}.parquet"
            wanted.add(name)
            folder.mkdir(exist_ok=True)
            write_whole(folder / name, data)
            values |= {"file": f"{ROWS}/{name}", "sha256": digest}
        listed.append(values)
    write_json(run.folder / FILE, {"comparisons": listed})
    # Only now: until then the file that was replaced names the older rows.
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in wanted:
            path.unlink()


def comparison_values(one: Comparison) -> dict[str, Any]:
    """A comparison as values of JSON, without the rows of the other run."""
    values = {name: value for name, value in vars(one).items() if name != "rows"}
    plain = {name: part.to_dict("records") if isinstance(part, pd.DataFrame) else part for name, part in values.items()}
    return {name: _plain(value) for name, value in plain.items()}


def read_rows(data: bytes) -> pd.DataFrame:
    """The rows of the other run from the bytes of their file. Raises `RunError` if it is damaged."""
    try:
        return pq.read_table(pa.BufferReader(data), columns=list(ROW_COLUMNS)).cast(_SCHEMA).to_pandas()
    except (ValueError, KeyError, OSError, pa.ArrowException) as error:
        raise RunError(f"the rows of a compared run are damaged: {first_line(error)}") from error


def load_comparisons(run: Run) -> list[Comparison]:
    """The comparisons kept in the run; empty if there are none. Raises `RunError` if the file is damaged."""
    path = run.folder / FILE
    if not path.exists():
        return []
    try:
        listed = json.loads(path.read_text())["comparisons"]
        if any(one.get("file") and not _FILE.fullmatch(one["file"]) for one in listed):
            raise RunError(f"{path} is damaged: it names a file outside {ROWS}/; compare the runs again")
        return [
            Comparison(
                **{
                    **one,
                    **{name: pd.DataFrame(one[name], columns=columns) for name, columns in COLUMNS.items()},
                    "only_one": tuple((method, model) for method, model in one["only_one"]),
                }
            )
            for one in listed
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged: {error}; compare the runs again") from error


_FILE = re.compile(ROWS + r"/[0-9a-f]{32}\.parquet")
_SCHEMA = pa.schema([SCHEMA.field(name) for name in ROW_COLUMNS])


def _parquet(rows: pd.DataFrame) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(rows[list(ROW_COLUMNS)], schema=_SCHEMA, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())


def _ran(rows: pd.DataFrame) -> set[str]:
    return set(_ok(rows).method)


def _trust(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "method", "faithfulness"]
    both = _ok(ours)[columns].merge(_ok(theirs)[columns], on=[*KEY, "method"], suffixes=("", "_other"))
    both = both.dropna(subset=["faithfulness", "faithfulness_other"])
    both["difference"] = both.faithfulness - both.faithfulness_other
    records = []
    for method, part in both.groupby("method", sort=True):
        each = part.groupby("image")[["difference", "faithfulness", "faithfulness_other"]].mean()
        differences = each.difference.to_numpy()
        got = interval_of_means(differences)
        records.append(
            {
                "method": method,
                **vars(got),
                "own": float(each.faithfulness.mean()),
                "theirs": float(each.faithfulness_other.mean()),
                "p": sign_flip_p(differences),
            }
        )
    frame = pd.DataFrame(records, columns=COLUMNS["trust"])
    frame["p_adjusted"] = MODELS.adjusted(frame)
    return frame


def _maps(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "method", "rows", "columns", "map"]
    both = _ok(ours)[columns].merge(_ok(theirs)[columns], on=[*KEY, "method"], suffixes=("", "_other"))
    both = both.dropna(subset=["map", "map_other"])
    records = []
    for method, part in both.groupby("method", sort=True):
        found = []
        for row in typed(part, _MapsOfBoth):
            a, b = (
                stored_grid(row.map, row.rows, row.columns),
                stored_grid(row.map_other, row.rows_other, row.columns_other),
            )
            rho, shared = spearman(a, b), top_overlap(a, b)
            if rho is not None and shared is not None:
                found.append((row.image, rho, shared))
        if found:
            images = np.array([image for image, *_ in found])
            got = mean_over_images(np.array([rho for _, rho, _ in found]), images, within=CORRELATION)
            overlap = float(np.mean([shared for *_, shared in found]))
            records.append({"method": method, **vars(got), "overlap": overlap})
    return pd.DataFrame(records, columns=COLUMNS["maps"])


def _scores(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "score"]
    both = ours[ours.kind == "score"][columns].merge(
        theirs[theirs.kind == "score"][columns], on=KEY, suffixes=("", "_other")
    )
    records = []
    for kind, part in both.groupby("text_kind", sort=True):
        ranks, same = [], []
        for _, listed in part.groupby("image", sort=True):
            a, b = listed.score.to_numpy(float), listed.score_other.to_numpy(float)
            rho = spearman(a, b) if len(a) > 2 else None
            if rho is not None:
                ranks.append(rho)
                same.append(float(a.argmax() == b.argmax()))
        if ranks:
            got = interval_of_means(np.array(ranks), within=CORRELATION)
            records.append(
                {
                    "text_kind": kind,
                    **vars(got),
                    "same_best": float(np.mean(same)),
                    "texts": int(part.text.nunique()),
                }
            )
    return pd.DataFrame(records, columns=COLUMNS["scores"])


def _ok(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows.kind == "method") & (rows.status == "ok")]


def _plain(value: Any) -> Any:
    """Values as JSON takes them; a number that is not one becomes null."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
