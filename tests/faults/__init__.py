"""What breaks, and whether anything is lost by it: the real processes under faults, compared with an oracle."""
