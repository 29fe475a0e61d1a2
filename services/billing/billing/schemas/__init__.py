"""What goes in and out over HTTP. A quantity counts what stands beside it: credit units, minutes, minor currency."""
