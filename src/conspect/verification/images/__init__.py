"""Properties of single images and of shares of images: exact truth, binomial tests, words for what was seen."""
