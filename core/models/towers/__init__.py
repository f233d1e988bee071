"""One file for each kind of tower; `core.models.image_tower` and `core.models.text_tower` choose among them."""
