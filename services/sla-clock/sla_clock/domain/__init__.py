"""What a clock is: a fold over what happened to its ticket. Pure: no I/O, no await, no clock of the machine."""
