"""Those that are compared: `prepare(event, url, index)` gives what is timed, a call that works one event off."""
