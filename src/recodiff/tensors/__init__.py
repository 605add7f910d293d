"""Tensors that any model may use: sparse rows, keyed draws, products, softmax, losses, networks, item shards; no diffusion."""
