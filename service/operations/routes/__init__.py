"""Routes, looked at from outside: what there is, why a record goes where it goes, and a new one."""
