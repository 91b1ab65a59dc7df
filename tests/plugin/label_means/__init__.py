"""Label means by bin: a complete algorithm outside `vfl`, which proves that nothing else has to know of one.

The label party encrypts its labels; a feature party adds up the ciphertexts of each bin of its columns; the
label party decrypts the sums, and so knows the mean label of each bin. A customer's score is the base rate
plus the mean, over all columns, of how much the mean of the customer's bin differs from it.
"""
