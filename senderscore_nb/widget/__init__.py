"""What the widgets of the package share: how they talk, look, remember and are kept in a notebook.

A widget is a model without a display (`model`), drawn by one anywidget (`view`) whose script and
styles are files of the package: those of this room first, then the widget's own.
"""
