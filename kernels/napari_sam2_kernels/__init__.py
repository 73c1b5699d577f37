"""Compute kernels behind the network: each folder holds one operation and, first of all, its plain truth."""
