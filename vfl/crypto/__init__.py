"""Paillier over batches: keys, packing of numbers, and the kernel that multiplies."""
