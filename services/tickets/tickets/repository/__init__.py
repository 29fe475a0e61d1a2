"""All SQL of tickets. Row-level security confines every statement to the desk its transaction names."""
