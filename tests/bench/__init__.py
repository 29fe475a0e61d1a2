"""Benchmarks: what Plazo costs as a ratio to a limit or a peer measured in the same run. `make bench` runs them."""
