"""Wording that no text for people may use, with the better wording and an example of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """A pattern that no string may match, what to write instead, an offending example and a good one."""

    pattern: str
    instead: str
    bad: str
    good: str


_MODELS = r"([Mm]odels?|[Tt]owers?|[Ee]ncoders?|[Mm]aps?|[Mm]ethods?|[Cc]rops?|[Rr]egions?|[Pp]atch(es)?|[Pp]laces?)"
_ALLOWED_NO = "longer|more|less|greater|larger|smaller|higher|lower|better|worse|further|such"
_PER = (
    r"(forward|pass|backward|line|unit|side|pair|step|class|method|row|card|copy|prompt|text|minute|[Rr]egion|image)s?"
)
_EACH = r"(image|text|unit|side|line|row|step|method|class|pair|cell|map|coalition|channel|crop|token|word|batch|run)"
WORDINGS = (
    Wording(
        r"\w\u2019\w", "write the straight apostrophe, as everywhere else", "the map\u2019s values", "the map's values"
    ),
    Wording(
        r"\b\w+n[’']t\b",
        "write the full form: cannot, does not, is not",
        "It can't be read",
        "It cannot be read",
    ),
    Wording(
        r"\b([Ii]t|[Tt]hat|[Tt]here|[Ww]hat|[Ww]ho|[Hh]ere|[Ll]et)[’']s\b",
        "write the full form: it is, that is, there is",
        "it's a map",
        "the map's values",
    ),
    Wording(
        r"\b\w+[’'](d|ll|ve|re)\b",
        "write the full form: would, will, have, are",
        "it'd be read",
        "it would be read",
    ),
    Wording(
        rf"(?<![Tt]here )\b(is|are|was|were) no (?!({_ALLOWED_NO})\b)\w",
        "write 'is not a valid X' or 'is not a X'",
        "a.txt is no TOML",
        "a.txt is not valid TOML; there is no image, and it is no longer read",
    ),
    Wording(r"\banew\b", "write 'again' or a verb with re-", "drawn anew", "re-initialised"),
    Wording(r"\b([Hh]angs?|[Hh]ung) on\b", "write 'depends on'", "hangs on the template", "depends on the template"),
    Wording(
        r"\b(cannot|not|never|to) be had\b",
        "write 'could not be obtained' or 'is not available'",
        "the weights cannot be had",
        "the weights could not be obtained",
    ),
    Wording(r"\b[Pp]ictur(e|es|ed)\b", "write 'image'", "one picture is missing", "one image is missing"),
    Wording(r"\b[Dd]ata[ -]sets?\b", "write 'dataset'", "the data set", "the dataset"),
    Wording(
        rf"\b{_PER} an? {_EACH}\b",
        "write 'per': per image, per line",
        "one forward an image",
        "one forward pass per image",
    ),
    Wording(
        r"\b(?<!agreement )(?<!expected )by chance\b(?! (alone|of))",
        "write 'random'",
        "an order by chance gives 0",
        "a random order yields 0",
    ),
    Wording(r"\b[Dd]ear(er|est)?\b", "write 'expensive'", "it is too dear", "it is too expensive"),
    Wording(r"\b[Tt]he things?\b", "write 'the object'", "may hold the thing itself", "may contain the object"),
    Wording(
        rf"\b{_MODELS} (alone )?(says?|tells?|knows?|speaks?|thinks?)\b",
        "a model predicts, a map indicates, a method distinguishes",
        "the model says dog",
        "the model predicts dog",
    ),
    Wording(
        r"\b([Ss]ays?|[Tt]ells?|[Ss]peaks?) (of|nothing|little|something)\b",
        "write 'mentions', 'gives no information about'",
        "texts that do not speak of it",
        "texts that do not mention it",
    ),
    Wording(
        r"^What [\w -]+ (holds?|gets?|owns?|shows?|says?|brings?)$",
        "name the content",
        "What the parts hold",
        "Contents of the parts",
    ),
    Wording(
        r"\b([Tt]old|[Tt]ells?|[Tt]elling)\b[^.;:]{0,40}\bapart\b",
        "write 'distinguish'",
        "the words are told apart",
        "the words are distinguished",
    ),
    Wording(
        r"\b(was|were|is|are) brought\b(?! to)|\b[Bb]ring (images|your|own)\b|\b[Bb]rought files\b",
        "write 'submitted' or 'added'",
        "files that were brought",
        "submitted files",
    ),
    Wording(
        r"\b[Tt]ak(es?|en) (“[^”]*”|⟨⟩|it|them|[\w ]{1,30}) for (“|⟨|true|its|the same|none|another)",
        "write 'does not distinguish x from y' or 'is treated as'",
        "the text tower takes “x” for “y”",
        "the text tower does not distinguish “x” from “y”",
    ),
    Wording(
        r"\b(in good part|by right|in hand|asked for)\b",
        "write plainly: largely, legitimately, current, requested",
        "chance in good part",
        "largely noise",
    ),
    Wording(r"\b[Ww]hichever\b", "write 'any'", "the corner, whichever", "any single corner"),
    Wording(r"\b([Ee]rrs?|[Ll]apses?)\b", "write 'is inaccurate'", "a model that errs", "an inaccurate model"),
    Wording(
        r"\b(were|was|are|is) looked at\b",
        "write 'examined'",
        "3 methods were looked at",
        "3 methods were examined",
    ),
    Wording(
        r"\b[Tt]urn(s|ed)? the (sign|word|class)\b|\bsigns? turned\b|\bturned signs?\b",
        "write 'invert' or 'flip'",
        "turn the sign",
        "invert the sign",
    ),
    Wording(
        r"\b[Cc]hance that\b|\bwith chance\b",
        "write 'probability'",
        "chance that a cell is kept",
        "probability that a cell is kept",
    ),
    Wording(
        r"\b([Hh]idden|[Bb]lurred|[Ii]mage|[Ss]ingle|[Ee]ach|[Tt]he|[Oo]f|[Mm]any|[Aa]) places?\b(?! of an?\b)",
        "write 'region', 'patch' or 'position'",
        "the place is hidden",
        "the region is hidden",
    ),
)
