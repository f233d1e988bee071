"""The fields in which an edition of a report is signed, and what a signed one shows."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from core.characters import legible
from core.errors import RunError
from core.sandbox import Allowance, Failure, call
from core.settings import ROOT

# Points. Three fields stand side by side.
HEIGHT, WIDTH, STEP = 54, 142, 150
_FONTS = ROOT / "templates" / "fonts"


@dataclass(frozen=True)
class Role:
    """In which part somebody signs: the name of the field, and what stands in it."""

    field: str
    title: str


ROLES = {
    "preparer": Role("PreparedBy", "Prepared by"),
    "reviewer": Role("ReviewedBy", "Reviewed by"),
    "approver": Role("ApprovedBy", "Approved by"),
}
# The status of the review log that belongs to a role; that of a draft is the preparer's.
ENTERED = {"reviewer": "reviewed", "approver": "approved"}


@dataclass(frozen=True)
class Row:
    """Where an edition has its fields: the number of the page, negative from the end, and the lower left corner."""

    page: int
    left: int
    bottom: int

    def box(self, role: Role) -> tuple[int, int, int, int]:
        """Left, bottom, right and top of the field of a role, in points."""
        left = self.left + STEP * list(ROLES.values()).index(role)
        return left, self.bottom, left + WIDTH, self.bottom + HEIGHT


# The cover has nothing there but a line on confidentiality below; the last page of the stakeholder edition leaves room
# in its lower margin (`@page signed` of the style sheet).
ROWS = {"report.pdf": Row(0, 85, 88), "stakeholder.pdf": Row(-1, 51, 62)}


def add_fields(writer: Any, row: Row) -> None:
    """Enter the three fields in a report that has none, each as a Form element of its structure (ISO 14289-1, 7.18.4).

    All of them come before the first signature, so that a later one changes nothing but its own field.
    """
    from pyhanko.pdf_utils import generic
    from pyhanko.sign.fields import SigFieldSpec, append_signature_field

    name = generic.NameObject
    root = writer.root["/StructTreeRoot"]
    tree = root.get_value_as_reference("/K") if isinstance(root.raw_get("/K"), generic.IndirectObject) else None
    parent = _document(root["/K"], tree)
    numbers = root["/ParentTree"]["/Nums"]
    highest = max((int(numbers[at]) for at in range(0, len(numbers), 2)), default=-1)
    key = int(root.get("/ParentTreeNextKey", highest + 1))
    for role in ROLES.values():
        spec = SigFieldSpec(
            role.field, on_page=row.page, box=row.box(role), readable_field_name=f"{role.title}: signature"
        )
        append_signature_field(writer, spec)
        page = writer.find_page_for_modification(row.page)[0]
        widget = page.get_object()["/Annots"].raw_get(-1)
        element = writer.add_object(
            generic.DictionaryObject(
                {
                    name("/Type"): name("/StructElem"),
                    name("/S"): name("/Form"),
                    name("/P"): parent,
                    name("/Pg"): page,
                    name("/Alt"): generic.TextStringObject(f"{role.title}: signature"),
                    name("/K"): generic.DictionaryObject(
                        {name("/Type"): name("/OBJR"), name("/Obj"): widget, name("/Pg"): page}
                    ),
                }
            )
        )
        owner = parent.get_object()
        contents = owner["/K"]
        if not isinstance(contents, generic.ArrayObject):
            contents = generic.ArrayObject([owner.raw_get("/K")])
            owner[name("/K")] = contents
        contents.append(element)
        writer.update_container(contents)
        writer.update_container(owner)
        annotation = widget.get_object()
        annotation[name("/StructParent")] = generic.NumberObject(key)
        writer.update_container(annotation)
        numbers.extend([generic.NumberObject(key), element])
        writer.update_container(numbers)
        key += 1
    root[name("/ParentTreeNextKey")] = generic.NumberObject(key)
    writer.update_container(root)


def _document(top: Any, reference: Any) -> Any:
    """A reference to the topmost structure element, below which the fields belong."""
    from pyhanko.pdf_utils import generic

    if isinstance(top, generic.ArrayObject):
        return top.raw_get(0)
    if reference is None:
        raise RunError("the report has no structure that a signature field could be entered in; render it again")
    return generic.IndirectObject(reference.idnum, reference.generation, reference.pdf)


def stamp(role: Role, signer: str, when: str) -> bytes:
    """A PDF page of the size of a field that shows who signed, in which part and when. Its fonts are embedded."""
    lines = [role.title, signer, when]
    try:
        return call(draw, *[legible(line) for line in lines], allowance=Allowance(memory=3 * 2**30, written=2**26)).data
    except Failure as failure:
        raise RunError(f"the visible signature could not be drawn ({failure.name or failure.kind})") from failure


def draw(data: bytes, title: str, signer: str, when: str) -> tuple[Any, bytes]:
    """The task of `stamp`, in a child."""
    from weasyprint import HTML

    faces = "".join(
        f"@font-face {{ font-family: Plex; font-weight: {weight}; src: url('{(_FONTS / file).as_uri()}') }}"
        for weight, file in ((400, "IBMPlexSans-Regular.woff2"), (700, "IBMPlexSans-Bold.woff2"))
    )
    style = (
        f"{faces} @page {{ size: {WIDTH}pt {HEIGHT}pt; margin: 0 }}"
        " body { margin: 0; font: 7pt/1.35 Plex, sans-serif; color: #1b2733 }"
        f" div {{ box-sizing: border-box; width: {WIDTH}pt; height: {HEIGHT}pt; overflow: hidden; padding: 4pt 5pt;"
        " border: 0.6pt solid #0b4f8a }"
        " b { display: block; font-size: 8.5pt; max-height: 2.7em; overflow: hidden }"
    )
    body = f"<div>{escape(title)}<b>{escape(signer)}</b>{escape(when)}<br>Digital signature</div>"
    page = HTML(string=f"<html lang='en'><style>{style}</style><body>{body}</body></html>")
    return None, bytes(page.write_pdf())
