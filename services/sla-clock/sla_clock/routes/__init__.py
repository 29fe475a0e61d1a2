"""The HTTP routes of sla-clock: parse, call one use case, shape the reply."""
