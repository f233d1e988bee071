"""Flaws that are known because they were planted: pictures, small models, audits of them and how they are scored."""
