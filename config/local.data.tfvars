protect                = false
point_in_time_recovery = false
