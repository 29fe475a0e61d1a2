"""The rules of tickets: what is decided at the opening, and which change may follow which state. Pure."""
