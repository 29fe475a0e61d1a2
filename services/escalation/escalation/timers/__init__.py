"""Loops beside the API. None decides when contract time has come: that is sla-clock's."""
