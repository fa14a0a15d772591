# A lab may be thrown away; leave this out for what may not.
protect                = false
point_in_time_recovery = false
