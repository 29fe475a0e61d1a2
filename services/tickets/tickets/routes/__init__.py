"""The HTTP routes of tickets: parse, call one use case, shape the reply."""
