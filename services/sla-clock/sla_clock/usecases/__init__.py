"""What sla-clock does: each use case owns its transaction, asks the domain, saves, and announces."""
