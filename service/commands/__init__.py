"""The commands of `python -m service`, one folder or module each. `entrypoints/command_list.py` lists them."""
