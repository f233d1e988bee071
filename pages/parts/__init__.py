"""What the pages share: the chosen run and dataset, words, images, method choices."""
