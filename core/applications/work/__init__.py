"""What several applications compute with: the stage of an audit, planned methods, visual concepts."""
