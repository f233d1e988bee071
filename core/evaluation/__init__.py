"""Label-free measures of explanations. `agreement`, `statistics` and `summary` need no torch."""
