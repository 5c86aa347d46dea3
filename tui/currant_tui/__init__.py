"""The dashboard of Currant Lab in a terminal: state in, widgets out. The state comes from `currant_lab.watch`."""
