"""Linear models over the columns of several institutions: logistic, squared and Poisson loss."""
