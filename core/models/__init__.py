"""open_clip models behind one interface. `core.models.geometry` alone is free of torch."""
