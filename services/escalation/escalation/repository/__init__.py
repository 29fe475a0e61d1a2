"""All SQL of escalation. Row-level security confines every statement to the desk its transaction names."""
