"""What billing can do. Each use case owns one transaction."""
