"""What must have come of the accepted requests, worked out anew: nothing of the product is used here."""
