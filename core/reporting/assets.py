"""The pictures, charts and fonts of a report, held in memory under names that only the renderer knows."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass, field

from PIL import Image

SCHEME = "audit"
JPEG_QUALITY = 86


@dataclass(frozen=True)
class Asset:
    """Bytes and their media type."""

    data: bytes
    media: str

    @property
    def data_uri(self) -> str:
        """The asset inside an address, for an HTML file that stands alone."""
        return f"data:{self.media};base64,{base64.b64encode(self.data).decode()}"


@dataclass
class Assets:
    """Assets by name. Equal bytes are kept once."""

    items: dict[str, Asset] = field(default_factory=dict)

    def add(self, data: bytes, media: str, ending: str) -> str:
        """Keep `data`; returns its name."""
        name = f"{hashlib.sha256(data).hexdigest()[:20]}.{ending}"
        self.items.setdefault(name, Asset(data, media))
        return name

    def photo(self, picture: Image.Image) -> str:
        """Keep a picture as JPEG, encoded once at the size it is printed; returns its name."""
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return self.add(stream.getvalue(), "image/jpeg", "jpg")

    def drawing(self, picture: Image.Image) -> str:
        """Keep a small exact picture as PNG; returns its name."""
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        return self.add(stream.getvalue(), "image/png", "png")

    def chart(self, svg: str) -> str:
        """Keep a chart; returns its name."""
        return self.add(svg.encode(), "image/svg+xml", "svg")

    def address(self, name: str, standalone: bool) -> str:
        """How a page refers to the asset: a data URI, or an address that only the PDF renderer resolves."""
        return self.items[name].data_uri if standalone else f"{SCHEME}://{name}"
