"""The embedded servers: AWS (moto) and search (osmem) on this machine. Nothing here ships."""
