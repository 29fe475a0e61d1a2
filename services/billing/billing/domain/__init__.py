"""What work costs and what pays for it. Pure: frozen values and functions, no clock, no I/O."""
