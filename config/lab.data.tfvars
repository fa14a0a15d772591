# Allows `make destroy` to delete the tables and buckets of a lab. Leave this out for a deployment with data to keep.
protect                = false
point_in_time_recovery = false
