"""Who must act and who must be told: pure decisions over frozen values."""
