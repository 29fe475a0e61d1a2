"""The HTTP side: each route calls one use case."""
