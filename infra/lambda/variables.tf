variable "function" {
  description = "The route modules, separated by dashes; \"\" for all. make derives it from FUNC."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{0,35}$", var.function))
    error_message = "function must have at most 35 letters, digits, dashes and underscores. Select fewer modules in FUNC."
  }
}

variable "package" {
  description = "The zip of the code, built by make build TARGET=lambda."
  type        = string
}

variable "handler" {
  description = "The handler, as module.function."
  type        = string
  default     = "service.entrypoints.lambda_handler.handler"
}

variable "runtime" {
  description = "The Lambda runtime, the same as that of the layer."
  type        = string

  validation {
    condition     = can(regex("^python3\\.[0-9]+$", var.runtime))
    error_message = "runtime must be a Python runtime such as python3.13."
  }
}

variable "architecture" {
  description = "The processor, the same as that of the layer: x86_64 or arm64."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64 (make … ARCH=arm64)."
  }
}

variable "layers" {
  description = "The ARNs of the layer versions. make sets the output of the layer target."
  type        = list(string)
}

variable "settings" {
  description = "The settings of the service that differ from their defaults, as environment variables, without secrets. make derives them."
  type        = map(string)
}

variable "more_variables" {
  description = "Additional environment variables of the function, without secrets."
  type        = map(string)
  default     = {}
}

variable "policy" {
  description = "The IAM policy for its routes, as JSON. make derives the output of `doctor --policy --as-lambda`."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "policy must be an IAM policy document in JSON."
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
  description = "Create event source mappings for the streams. Set it to false if pipes send the streams to queues."
  type        = bool
  default     = true
}

variable "queues" {
  description = "The queues of the route modules: name to ARN. make sets the outputs of the queue target."
  type        = map(string)
}

variable "buckets" {
  description = "The buckets of the routes. make derives them from the routes."

  type = map(object({
    name   = string
    arn    = string
    events = list(string)
    prefix = optional(string)
    suffix = optional(string)
  }))
}

variable "s3_direct" {
  description = "Buckets invoke the function directly, without topic and queue. Set `direct` of the queue target as well."
  type        = bool
  default     = false
}

variable "letters_arn" {
  description = "The ARN of the bucket of dead letters and of events that a mapping gives up. make sets the output of the data target."
  type        = string
}

variable "secrets_path" {
  description = "The path of the secrets in the Parameter Store. make sets it if there are secrets."
  type        = string
  default     = null
}

variable "batch_size" {
  description = "The maximum number of records of a shard in one invocation."
  type        = number
  default     = 1000

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000
    error_message = "batch_size must be 1 to 10000."
  }
}

variable "batching_window" {
  description = "The time in which records of a shard are gathered for a batch, in seconds."
  type        = number
  default     = 1

  validation {
    condition     = var.batching_window >= 0 && var.batching_window <= 300
    error_message = "batching_window must be 0 to 300 seconds."
  }
}

variable "parallelization_factor" {
  description = "The number of batches of one shard that are processed in parallel."
  type        = number
  default     = 1

  validation {
    condition     = var.parallelization_factor >= 1 && var.parallelization_factor <= 10
    error_message = "parallelization_factor must be 1 to 10."
  }
}

variable "maximum_retry_attempts" {
  description = "The number of retries of a batch before Lambda gives up its event."
  type        = number
  default     = 10000

  validation {
    condition     = var.maximum_retry_attempts >= 0 && var.maximum_retry_attempts <= 10000
    error_message = "maximum_retry_attempts must be 0 to 10000. Without a limit, the stream would delete records before they are stored as failed."
  }
}

variable "maximum_record_age" {
  description = "The age at which Lambda gives up a record, in seconds."
  type        = number
  default     = 82800

  validation {
    condition     = var.maximum_record_age >= 60 && var.maximum_record_age < 86400
    error_message = "maximum_record_age must be 60 to 86399 seconds. After one day, the stream deletes records before they are stored as failed."
  }
}

variable "queue_concurrency" {
  description = "The maximum number of concurrent invocations for each queue; null for no limit."
  type        = number
  default     = null

  validation {
    condition     = var.queue_concurrency == null || try(var.queue_concurrency >= 2 && var.queue_concurrency <= 1000, false)
    error_message = "queue_concurrency must be 2 to 1000."
  }
}

variable "memory" {
  description = "Memory in MB. The CPU share grows with it."
  type        = number
  default     = 512

  validation {
    condition     = var.memory >= 128 && var.memory <= 10240
    error_message = "memory must be 128 to 10240 MB."
  }
}

variable "timeout" {
  description = "The timeout of one invocation, in seconds. Set visibility_timeout of the queue target to six times this."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout >= 30 && var.timeout <= 900
    error_message = "timeout must be 30 to 900 seconds, because failed writes are retried for 20 seconds."
  }
}

variable "reserved_concurrency" {
  description = "Reserved concurrency: the maximum number of concurrent invocations, reserved for this function; -1 reserves none."
  type        = number
  default     = -1
}

variable "trace" {
  description = "Trace invocations with AWS X-Ray. make sets it from the setting `trace`."
  type        = bool
  default     = false
}

variable "log_retention" {
  description = "Days until the log is deleted."
  type        = number
  default     = 30
}

variable "subnet_ids" {
  description = "Private subnets, needed if the search server is in a VPC."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Security groups in that VPC."
  type        = list(string)
  default     = []
}

variable "iterator_age_alarm" {
  description = "The age of unread stream records that raises the alarm, in seconds."
  type        = number
  default     = 900
}

variable "metrics_namespace" {
  description = "The CloudWatch namespace of the service's metrics. make sets it from the setting."
  type        = string
  default     = "streamdex"
}

variable "alarm_actions" {
  description = "The ARNs that alarms notify, such as that of a topic."
  type        = list(string)
  default     = []
}
