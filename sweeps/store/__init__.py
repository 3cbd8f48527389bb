"""The results of a sweep, as immutable Parquet parts."""
