"""Measures Keyhouse beside other servers on this machine: what `./bench` runs."""
