"""What tickets can do. Each use case owns one transaction."""
