"""Plazo on one bare machine: PostgreSQL, NATS and Caddy from their wheels, and the four services behind one address."""
