"""Workbooks of Excel and OpenDocument, looked at before they are read in a process of their own."""
