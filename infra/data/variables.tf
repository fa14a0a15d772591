variable "tables" {
  description = "The tables of the routes, by the names that routes use. make derives them from the routes."

  type = map(object({
    hash_key   = string
    range_key  = optional(string)
    attributes = map(string)
  }))

  validation {
    condition     = alltrue([for table in values(var.tables) : alltrue([for kind in values(table.attributes) : contains(["S", "N", "B"], kind)])])
    error_message = "An attribute of a key is of type S, N or B."
  }
}

variable "more_tables" {
  description = "Further tables, such as those that fit a pattern (table = \"users-*\") of a route."

  type = map(object({
    hash_key   = string
    range_key  = optional(string)
    attributes = map(string)
  }))

  default = {}
}

variable "existing_tables" {
  description = "Tables that are there already, and are not made: the name in routes to the table's own."
  type        = map(string)
  default     = {}
}

variable "buckets" {
  description = "The buckets of the routes. make derives them from the routes."
  type        = set(string)
}

variable "more_buckets" {
  description = "Further buckets, such as those that fit a pattern of a route."
  type        = set(string)
  default     = []
}

variable "existing_buckets" {
  description = "Buckets that are there already, and are not made: the name in routes to the bucket's own."
  type        = map(string)
  default     = {}
}

variable "protect" {
  description = "Whether tables, and buckets that hold something, withstand make destroy."
  type        = bool
  default     = true
}

variable "point_in_time_recovery" {
  description = "Whether tables can be restored to each second of the last 35 days, which costs by their size."
  type        = bool
  default     = true
}

variable "keep_letters" {
  description = "Days that dead letters are kept; null for ever."
  type        = number
  default     = 90
}
