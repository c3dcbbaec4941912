"""The explorer in a real JupyterLab, which its tests share."""
