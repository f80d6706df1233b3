"""Environment, kernels, editions, pages, verification. Knows no trial but the table of chapters."""
