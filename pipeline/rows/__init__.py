"""One reader of the rows of tables: CSV, GeoPackage and GeoJSON to text, text to checked rows."""
