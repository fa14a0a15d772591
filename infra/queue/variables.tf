variable "buckets" {
  description = "The buckets of the routes, by the names that routes use. make derives them from the routes."

  type = map(object({
    name   = string
    arn    = string
    events = list(string)
    prefix = optional(string)
    suffix = optional(string)
  }))

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : alltrue([for event in bucket.events : can(regex("^s3:(ObjectCreated|ObjectRemoved|LifecycleExpiration):", event))])])
    error_message = "Each event must be s3:ObjectCreated:*, s3:ObjectRemoved:* or s3:LifecycleExpiration:*. S3 has no type s3:*."
  }
}

variable "queues" {
  description = "The queue of each module of routes, and the buckets that notify it. make derives them from the routes."

  type = map(object({
    buckets = list(string)
  }))
}

variable "existing_queues" {
  description = "Existing queues to use: pending-MODULE to the name of the queue. They are neither created nor subscribed."
  type        = map(string)
  default     = {}
}

variable "existing_topics" {
  description = "Existing topics that buckets already notify: the bucket's name in routes to the ARN of the topic."
  type        = map(string)
  default     = {}
}

variable "direct" {
  description = "Buckets invoke the function directly (s3_direct of the lambda target) and notify no topic."
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
  description = "The tables whose changes an EventBridge Pipe sends to the queue changes-TABLE, for containers."
  type        = set(string)
  default     = []
}

variable "pipe_parallelization" {
  description = "The number of batches of one shard that a pipe processes in parallel."
  type        = number
  default     = 2

  validation {
    condition     = var.pipe_parallelization >= 1 && var.pipe_parallelization <= 10
    error_message = "pipe_parallelization must be 1 to 10."
  }
}

variable "task_queue" {
  description = "Create the queue `tasks` for backfill --enqueue. Set task_queue: tasks in config/ENV.yml as well."
  type        = bool
  default     = false

  validation {
    condition     = !var.task_queue || length(var.operators) > 0
    error_message = "task_queue needs operators. Set operators to the ARNs of the roles that run backfill --enqueue."
  }
}

variable "operators" {
  description = "The ARNs of the roles that can send to all queues, for backfill --enqueue and to move messages back; * is a wildcard."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operators : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:.+$", arn))])
    error_message = "Each entry of operators must be the ARN of a principal, such as arn:aws:iam::ACCOUNT:role/NAME."
  }
}

variable "visibility_timeout" {
  description = "Seconds until a message is redelivered. Lambda recommends six times the timeout of the function."
  type        = number
  default     = 360

  validation {
    condition     = var.visibility_timeout >= 30 && var.visibility_timeout <= 43200
    error_message = "visibility_timeout must be 30 to 43200 seconds."
  }
}

variable "max_receive_count" {
  description = "The number of deliveries before a message moves to the dead-letter queue. Deliveries during an outage count, too."
  type        = number
  default     = 20

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count must be 1 to 1000."
  }
}

variable "age_alarm" {
  description = "The age of the oldest message of a queue that raises the alarm, in seconds."
  type        = number
  default     = 900
}

variable "alarm_actions" {
  description = "The ARNs that alarms notify, such as that of a topic."
  type        = list(string)
  default     = []
}
