variable "function" {
  description = "The modules of the routes, with dashes between them; \"\" for all. make derives it from FUNC."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,35}$", var.function))
    error_message = "function is at most 35 letters, digits, dashes and underscores: fewer modules in FUNC."
  }
}

variable "package" {
  description = "The zip of the code. make build TARGET=lambda makes it."
  type        = string
}

variable "handler" {
  description = "The handler, as module.function."
  type        = string
  default     = "service.entrypoints.lambda_handler.handler"
}

variable "runtime" {
  description = "Lambda's name of the Python, as the layer's."
  type        = string

  validation {
    condition     = can(regex("^python3\\.[0-9]+$", var.runtime))
    error_message = "runtime is such as python3.13."
  }
}

variable "architecture" {
  description = "The processor: x86_64 or arm64, as the layer's."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is x86_64 or arm64 (make … ARCH=arm64)."
  }
}

variable "layers" {
  description = "ARNs of the layers' versions. make takes the layer target's."
  type        = list(string)
}

variable "settings" {
  description = "The settings of the service that differ from their defaults, as environment variables; no secrets. make derives them."
  type        = map(string)
}

variable "more_variables" {
  description = "Further environment variables of the function; no secrets."
  type        = map(string)
  default     = {}
}

variable "policy" {
  description = "The IAM policy of what its routes do, as JSON. make derives it, as `doctor --policy --as-lambda` prints it."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "policy is an IAM policy document."
  }
}

variable "streams" {
  description = "The streams of the routes' tables, and the filters that the routes allow. make derives them."

  type = map(object({
    arn     = string
    filters = list(string)
  }))
}

variable "read_streams" {
  description = "Whether the function is called for the streams themselves; not where pipes bring them to queues."
  type        = bool
  default     = true
}

variable "queues" {
  description = "The queues of the routes' modules: name to ARN. make takes the queue target's."
  type        = map(string)
}

variable "buckets" {
  description = "The buckets whose events routes take. make derives them from the routes."

  type = map(object({
    name   = string
    arn    = string
    events = list(string)
    prefix = optional(string)
    suffix = optional(string)
  }))
}

variable "s3_direct" {
  description = "Whether buckets call the function themselves, without topic and queue (then `direct` of the queue target, too)."
  type        = bool
  default     = false
}

variable "letters_arn" {
  description = "The bucket of dead letters, and of events that a mapping gives up. make takes the data target's."
  type        = string
}

variable "secrets_path" {
  description = "The path of its secrets in the Parameter Store. make sets it where there are some."
  type        = string
  default     = null
}

variable "batch_size" {
  description = "Records of a shard in one call, at most."
  type        = number
  default     = 1000

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000
    error_message = "batch_size is 1 to 10000."
  }
}

variable "batching_window" {
  description = "Seconds that a shard's records are gathered for."
  type        = number
  default     = 1

  validation {
    condition     = var.batching_window >= 0 && var.batching_window <= 300
    error_message = "batching_window is 0 to 300 seconds."
  }
}

variable "parallelization_factor" {
  description = "Batches of one shard at once."
  type        = number
  default     = 1

  validation {
    condition     = var.parallelization_factor >= 1 && var.parallelization_factor <= 10
    error_message = "parallelization_factor is 1 to 10."
  }
}

variable "maximum_retry_attempts" {
  description = "How often a batch is tried again before its event is given up."
  type        = number
  default     = 10000

  validation {
    condition     = var.maximum_retry_attempts >= 0 && var.maximum_retry_attempts <= 10000
    error_message = "maximum_retry_attempts is 0 to 10000: without a limit the stream would forget records untold."
  }
}

variable "maximum_record_age" {
  description = "Seconds after which a record is given up."
  type        = number
  default     = 82800

  validation {
    condition     = var.maximum_record_age >= 60 && var.maximum_record_age < 86400
    error_message = "maximum_record_age is 60 to 86399 seconds: after a day the stream forgets records untold."
  }
}

variable "queue_concurrency" {
  description = "Calls at once for each queue, at most; not limited without it."
  type        = number
  default     = null

  validation {
    condition     = var.queue_concurrency == null || try(var.queue_concurrency >= 2 && var.queue_concurrency <= 1000, false)
    error_message = "queue_concurrency is 2 to 1000."
  }
}

variable "memory" {
  description = "MB of memory; the processor grows with it."
  type        = number
  default     = 512

  validation {
    condition     = var.memory >= 128 && var.memory <= 10240
    error_message = "memory is 128 to 10240 MB."
  }
}

variable "timeout" {
  description = "Seconds for one call; the queues' visibility_timeout is six times this."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout >= 30 && var.timeout <= 900
    error_message = "timeout is 30 to 900 seconds: what fails is tried again for 20."
  }
}

variable "reserved_concurrency" {
  description = "Calls at once, at most, which no other function can use; -1 for none reserved."
  type        = number
  default     = -1
}

variable "trace" {
  description = "Whether AWS X-Ray traces calls. make takes it from the setting `trace`."
  type        = bool
  default     = false
}

variable "log_retention" {
  description = "Days that the log is kept."
  type        = number
  default     = 30
}

variable "subnet_ids" {
  description = "Private subnets, where the search server is in a VPC."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Security groups in that VPC."
  type        = list(string)
  default     = []
}

variable "iterator_age_alarm" {
  description = "Seconds that records of a stream may wait before an alarm."
  type        = number
  default     = 900
}

variable "metrics_namespace" {
  description = "The CloudWatch namespace of the service's own metrics. make takes it from the setting."
  type        = string
  default     = "streamdex"
}

variable "alarm_actions" {
  description = "ARNs that alarms go to, such as a topic's."
  type        = list(string)
  default     = []
}
