"""One module per kind of provider; each holds a class that satisfies `protocol.Adapter`."""
