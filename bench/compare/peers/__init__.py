"""The peers: a module each with a class `Peer`.

`prepare(parts)` of a work's parts gives what is timed, on new inputs; it may return seconds of its own. `result(parts)` gives the numbers that are compared with
the reference. Each is set as its own documentation advises; the modules say how. Those in Rust are programs of their own: rust/."""
