"""The pages of the app. They read runs and ask for work; they never load a model."""
