"""What this service does. Each public function that takes a unit of work is one transaction."""
