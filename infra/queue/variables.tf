variable "buckets" {
  description = "The buckets whose events routes take, by the names that routes use. make derives them from the routes."

  type = map(object({
    name   = string
    arn    = string
    events = list(string)
    prefix = optional(string)
    suffix = optional(string)
  }))

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : alltrue([for event in bucket.events : can(regex("^s3:(ObjectCreated|ObjectRemoved|LifecycleExpiration):", event))])])
    error_message = "Events are s3:ObjectCreated:*, s3:ObjectRemoved:* and s3:LifecycleExpiration:*; S3 has no s3:*."
  }
}

variable "queues" {
  description = "A queue for each module of routes, and the buckets that it is told of. make derives them from the routes."

  type = map(object({
    buckets = list(string)
  }))
}

variable "existing_queues" {
  description = "Queues that are there already, and are neither made nor subscribed: pending-MODULE to the queue's own name."
  type        = map(string)
  default     = {}
}

variable "existing_topics" {
  description = "Topics that buckets announce their events on already: the bucket's name in routes to the topic's ARN."
  type        = map(string)
  default     = {}
}

variable "direct" {
  description = "Whether buckets call the function themselves (s3_direct of the lambda target), and no topic."
  type        = bool
  default     = false
}

variable "streams" {
  description = "The streams of the routes' tables, and the filters that the routes allow. make derives them."

  type = map(object({
    arn     = string
    filters = list(string)
  }))
}

variable "piped_tables" {
  description = "The tables whose changes go through an EventBridge Pipe to the queue changes-TABLE: for containers."
  type        = set(string)
  default     = []
}

variable "pipe_parallelization" {
  description = "How many batches of one shard a pipe works on at once."
  type        = number
  default     = 2

  validation {
    condition     = var.pipe_parallelization >= 1 && var.pipe_parallelization <= 10
    error_message = "pipe_parallelization is 1 to 10."
  }
}

variable "task_queue" {
  description = "Whether there is the queue `tasks`, for backfill --enqueue. Set task_queue: tasks in config/ENV.yml as well."
  type        = bool
  default     = false

  validation {
    condition     = !var.task_queue || length(var.operators) > 0
    error_message = "A task queue needs operators: the ARNs of the roles that run backfill --enqueue."
  }
}

variable "operators" {
  description = "The ARNs of the roles that may send to every queue: for backfill --enqueue, and to move messages back; * is a wildcard."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operators : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:.+$", arn))])
    error_message = "operators are ARNs of principals: arn:aws:iam::ACCOUNT:role/NAME."
  }
}

variable "visibility_timeout" {
  description = "Seconds until a message comes again: six times the function's timeout, as Lambda asks for."
  type        = number
  default     = 360

  validation {
    condition     = var.visibility_timeout >= 30 && var.visibility_timeout <= 43200
    error_message = "visibility_timeout is 30 to 43200 seconds."
  }
}

variable "max_receive_count" {
  description = "How often a message is delivered before its queue gives it up: an outage uses them up, too."
  type        = number
  default     = 20

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count is 1 to 1000."
  }
}

variable "age_alarm" {
  description = "Seconds that the oldest message of a queue may wait before an alarm."
  type        = number
  default     = 900
}

variable "alarm_actions" {
  description = "ARNs that alarms go to, such as a topic's."
  type        = list(string)
  default     = []
}
