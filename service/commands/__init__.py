"""The commands of `python -m service`: a folder each, or a module. `entrypoints/command_list.py` lists them."""
