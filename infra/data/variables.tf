variable "tables" {
  description = "The tables of the routes, by the names that routes use. make derives them from the routes."

  type = map(object({
    hash_key   = string
    range_key  = optional(string)
    attributes = map(string)
  }))

  validation {
    condition     = alltrue([for table in values(var.tables) : alltrue([for kind in values(table.attributes) : contains(["S", "N", "B"], kind)])])
    error_message = "Each key attribute must have type S, N or B."
  }
}

variable "more_tables" {
  description = "Additional tables, such as those that match a pattern of a route (table = \"users-*\")."

  type = map(object({
    hash_key   = string
    range_key  = optional(string)
    attributes = map(string)
  }))

  default = {}
}

variable "secondary_indexes" {
  description = "Global secondary indexes of tables that this target creates, by table and index: those that routes list in `reads`."

  type = map(map(object({
    hash_key   = string
    range_key  = optional(string)
    attributes = map(string)
    projection = optional(string, "ALL")
  })))

  default = {}

  validation {
    condition     = alltrue([for table in keys(var.secondary_indexes) : contains(keys(merge(var.tables, var.more_tables)), table) && !contains(keys(var.existing_tables), table)])
    error_message = "Each table of secondary_indexes must be one that this target creates."
  }

  validation {
    condition     = alltrue(flatten([for indexes in values(var.secondary_indexes) : [for index in values(indexes) : contains(["ALL", "KEYS_ONLY"], index.projection)]]))
    error_message = "The projection must be ALL or KEYS_ONLY."
  }
}

variable "existing_tables" {
  description = "Existing tables to use: the name in routes to the name of the table. They are not created."
  type        = map(string)
  default     = {}
}

variable "buckets" {
  description = "The buckets of the routes. make derives them from the routes."
  type        = set(string)
}

variable "more_buckets" {
  description = "Additional buckets, such as those that match a pattern of a route."
  type        = set(string)
  default     = []
}

variable "existing_buckets" {
  description = "Existing buckets to use: the name in routes to the name of the bucket. They are not created."
  type        = map(string)
  default     = {}
}

variable "protect" {
  description = "Protect tables and non-empty buckets from make destroy."
  type        = bool
  default     = true
}

variable "point_in_time_recovery" {
  description = "Enable point-in-time recovery: tables can be restored to any second of the last 35 days. The cost depends on their size."
  type        = bool
  default     = true
}

variable "keep_letters" {
  description = "Days until dead letters are deleted; null keeps them forever."
  type        = number
  default     = 90
}
