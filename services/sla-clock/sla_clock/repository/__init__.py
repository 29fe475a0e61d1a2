"""All SQL of sla-clock. Row-level security confines what a desk's transaction sees; nothing here commits."""
