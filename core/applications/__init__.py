"""What attribution is good for, over a whole data set: one module a stage of an audit, one `*_record` to read it."""
