"""Files as they are: text, Parquet and workbooks, looked at before they are read."""
