"""All SQL of billing. Row-level security confines every statement to the desk of its transaction."""
