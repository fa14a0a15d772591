"""The embedded stand-ins: AWS (moto's server) and search (osmem) on this machine. Nothing here ships."""
