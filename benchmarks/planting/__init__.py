"""Flaws that are known because they were planted: images, small models, audits of them and how they are scored."""
