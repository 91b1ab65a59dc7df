"""What every kind of model has, whichever algorithm trains it: parts, a predictor, a question to peers."""
