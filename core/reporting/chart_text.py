"""The words of charts, laid out whole, so that scripts are joined, ordered and combined there as they are in tables.

SVG allows a place for every letter, and WeasyPrint lays out each letter alone to honour it: Arabic then falls apart
into isolated letters from left to right, marks of Hindi and Thai stand on dotted circles, and an emoji made of several
characters is several. The charts of this product never place single letters.
"""

from __future__ import annotations

from collections.abc import Iterator


class WholeText(str):
    """A text whose only part, when it is walked through, is itself."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        # Unless it is empty, as any text.
        return iter((str(self),) if self else ())


def lay_out_whole() -> None:
    """From now on WeasyPrint takes the text of an SVG node as one letter, which Pango shapes as one line."""
    from weasyprint.svg import Node

    Node.text = property(lambda node: _whole(node._etree_node.text))


def _whole(text: str | None) -> WholeText | None:
    return None if text is None else WholeText(text)
