"""What the pages share: the chosen run and data set, words, pictures, method choices."""
