"""The structure tree of a finished PDF, where PDF/UA-1 and PDF/A-3a ask for more than the renderer writes.

Mended are: header cells without a scope (ISO 14289-1, 7.5), annotations of links outside of a Link element and Links
inside Links (7.18.5), running headers and footers that are marked as content (7.8), images that ask for interpolation
(ISO 19005-3, 6.2.8), and an attachment that the catalogue names twice. A page names only the images that it shows:
otherwise every page leads to every image, and who checks a signature follows millions of ways. The file gets its own
digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, ObjectStreamMode, Operator, String

from core.reporting.pdf_digest import EMPTY, KEY, with_digest

# Made once: a long report has more than a hundred thousand instructions.
_BEGIN, _SHOW = Operator("BDC"), Operator("Do")


def mended(data: bytes) -> bytes:
    """The same document with its structure completed; equal input gives equal bytes."""
    out = BytesIO()
    with pikepdf.open(BytesIO(data)) as pdf:
        root = pdf.Root.StructTreeRoot
        parents = _parents(root)
        _scopes(root)
        for element in _elements(root):
            if Name.Link == element.S:
                _gather(element, parents)
        _prune(root)
        _pages(pdf, root)
        for item in pdf.objects:
            if isinstance(item, pikepdf.Stream) and item.get(Name.Subtype) == Name.Image:
                item[Name.Interpolate] = False
        attached = {file.objgen: file for file in pdf.Root.get(Name.AF, Array())}
        if attached:
            pdf.Root.AF = Array(list(attached.values()))
            # In the dictionary of a stream, because those are never compressed. ISO 32000-1, annex E, permits own keys.
            next(iter(attached.values())).EF.F[Name(f"/{KEY}")] = String(EMPTY)
        # The renderer writes one stream of all objects, in which a reader that asks for each of them is quadratic.
        pdf.save(out, deterministic_id=True, object_stream_mode=ObjectStreamMode.generate)
    return with_digest(out.getvalue()) if attached else out.getvalue()


def _children(element: Any) -> list[Any]:
    children = element.get(Name.K)
    if children is None:
        return []
    return list(children) if isinstance(children, Array) else [children]


def _elements(element: Any) -> Iterator[Any]:
    """The structure elements below one, in the order of the document; nothing below a Link."""
    for child in _children(element):
        if isinstance(child, Dictionary) and Name.S in child:
            yield child
            if Name.Link != child.S:
                yield from _elements(child)


def _parents(root: Any) -> dict[int, tuple[Any, int]]:
    """Where the parent tree names the element of a key: its array and the position in it."""
    numbers = root.ParentTree.Nums
    return {int(numbers[at]): (numbers, at + 1) for at in range(0, len(numbers), 2)}


def _scopes(root: Any) -> None:
    """A scope for every header cell: its column where it stands in the head of a table, otherwise its row."""

    def walk(element: Any, scope: Name) -> None:
        for child in _children(element):
            if not isinstance(child, Dictionary) or Name.S not in child:
                continue
            if Name.TH == child.S:
                if Name.A not in child:
                    child.A = Dictionary(O=Name.Table)
                child.A.Scope = scope
            walk(child, Name.Column if Name.THead == child.S else Name.Row if Name.TBody == child.S else scope)

    walk(root, Name.Row)


def _gather(link: Any, parents: dict[int, tuple[Any, int]]) -> None:
    """All annotations below a Link become its own; a Link inside it becomes a Span."""

    def below(element: Any) -> list[Any]:
        own, rest = [], []
        for child in _children(element):
            if isinstance(child, Dictionary) and child.get(Name.Type) == Name.OBJR:
                own.append(child)
            else:
                if isinstance(child, Dictionary) and Name.S in child:
                    own += below(child)
                    if Name.Link == child.S:
                        child.S = Name.Span
                rest.append(child)
        element.K = Array(rest)
        return own

    annotations = below(link)
    link.K = Array([*annotations, *_children(link)])
    for reference in annotations:
        numbers, at = parents[int(reference.Obj.StructParent)]
        numbers[at] = link


def _prune(element: Any) -> None:
    """Spans that hold nothing, such as the scale of a colour bar, are left out."""
    contents = []
    for child in _children(element):
        if isinstance(child, Dictionary) and Name.S in child:
            _prune(child)
            if Name.Span == child.S and not _children(child) and Name.Alt not in child:
                continue
        contents.append(child)
    element.K = Array(contents)


def _pages(pdf: pikepdf.Pdf, root: Any) -> None:
    """What the instructions of each page decide: its running lines, and the images that it names."""
    marks = _marks(root)
    for page in pdf.pages:
        instructions: list[Any] = list(pikepdf.parse_content_stream(page))
        _name_shown(page, instructions)
        _running_lines(pdf, page, instructions, marks.get(page.objgen, set()))


def _marks(root: Any) -> dict[Any, set[int]]:
    """The numbers of the marked contents that structure elements hold, by page."""
    marks: dict[Any, set[int]] = {}

    def walk(element: Any, page: Any) -> None:
        page = element.Pg.objgen if Name.Pg in element else page
        for child in _children(element):
            if isinstance(child, Dictionary):
                walk(child, page)
            elif page is not None:
                marks.setdefault(page, set()).add(int(child))

    walk(root, None)
    return marks


def _name_shown(page: Any, instructions: list[Any]) -> None:
    """A page's own names of the images and drawings that it shows; the renderer gives all pages those of all."""
    resources = page.Resources
    if Name.XObject not in resources:
        return
    shown = {str(instruction.operands[0]) for instruction in instructions if instruction.operator == _SHOW}
    # A shallow copy: what the names stand for is shared.
    own = Dictionary(dict(resources.items()))
    own.XObject = Dictionary({name: each for name, each in resources.XObject.items() if name in shown})
    page.Resources = own


def _running_lines(pdf: pikepdf.Pdf, page: Any, instructions: list[Any], known: set[int]) -> None:
    """Content that no structure element holds, which is what stands in the margins, is marked as an artefact."""
    loose = [
        at
        for at, instruction in enumerate(instructions)
        if (number := _mark(instruction)) is not None and number not in known
    ]
    for at in loose:
        instructions[at] = ([Name.Artifact], Operator("BMC"))
    if loose:
        page.Contents = pdf.make_stream(pikepdf.unparse_content_stream(instructions))


def _mark(instruction: Any) -> int | None:
    """The number of the marked content that an instruction begins; None if it begins none."""
    if instruction.operator != _BEGIN or not isinstance(instruction.operands[1], Dictionary):
        return None
    return int(instruction.operands[1].get(Name.MCID, -1))
