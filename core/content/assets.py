"""The images, charts and fonts of a report, held in memory under names that only the renderer knows."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass, field

from PIL import Image

SCHEME = "audit"
JPEG_QUALITY = 86
# In a page for a browser: nearly twice the pixels that the widest heat map takes there, and colours at half resolution.
SCREEN_SIDE, SCREEN_QUALITY = 280, 70


@dataclass(frozen=True)
class Asset:
    """Bytes and their media type; of an image the width and height in pixels."""

    data: bytes
    media: str
    size: tuple[int, int] | None = None

    @property
    def data_uri(self) -> str:
        """The asset inside an address, for an HTML file that stands alone."""
        return f"data:{self.media};base64,{base64.b64encode(self.data).decode()}"

    def on_screen(self) -> Asset:
        """The asset as a page for a browser has it: a photo smaller, everything else as it is."""
        if self.media != "image/jpeg":
            return self
        with Image.open(io.BytesIO(self.data)) as image:
            image.thumbnail((SCREEN_SIDE, SCREEN_SIDE))
            stream = io.BytesIO()
            image.save(stream, "JPEG", quality=SCREEN_QUALITY, optimize=True)
            return Asset(stream.getvalue(), self.media, image.size)


@dataclass
class Assets:
    """Assets by name. Equal bytes are kept once."""

    items: dict[str, Asset] = field(default_factory=dict)

    def add(self, data: bytes, media: str, ending: str, size: tuple[int, int] | None = None) -> str:
        """Keep `data`; returns its name."""
        name = f"{hashlib.sha256(data).hexdigest()[:20]}.{ending}"
        self.items.setdefault(name, Asset(data, media, size))
        return name

    def photo(self, image: Image.Image) -> str:
        """Keep an image as JPEG, encoded once at the size it is printed; returns its name."""
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return self.add(stream.getvalue(), "image/jpeg", "jpg", image.size)

    def drawing(self, image: Image.Image) -> str:
        """Keep a small exact image as PNG; returns its name."""
        stream = io.BytesIO()
        image.save(stream, "PNG")
        return self.add(stream.getvalue(), "image/png", "png", image.size)

    def chart(self, svg: str) -> str:
        """Keep a chart; returns its name."""
        return self.add(svg.encode(), "image/svg+xml", "svg")

    def address(self, name: str, standalone: bool) -> str:
        """How a page refers to the asset: a data URI, or an address that only the PDF renderer resolves."""
        return self.items[name].data_uri if standalone else f"{SCHEME}://{name}"
