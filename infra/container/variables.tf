variable "function" {
  description = "The modules of the routes, with dashes between them; \"\" for all. make derives it from FUNC."
  type        = string
  default     = ""
}

variable "image" {
  description = "The image that runs, by its digest (…@sha256:…) or a tag that never moves; nothing runs without it."
  type        = string
  default     = null
}

variable "existing_repository" {
  description = "Whether images come from a repository that is there already, so that none is made."
  type        = bool
  default     = false
}

variable "existing_cluster" {
  description = "The name of a cluster that is there already; one is made without it."
  type        = string
  default     = null
}

variable "architecture" {
  description = "The processor: x86_64 or arm64, as the image's."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is x86_64 or arm64 (make … ARCH=arm64)."
  }
}

variable "settings" {
  description = "The settings of the service that differ from their defaults, as environment variables; no secrets. make derives them."
  type        = map(string)
}

variable "more_variables" {
  description = "Further environment variables of the container; no secrets."
  type        = map(string)
  default     = {}
}

variable "policy" {
  description = "The IAM policy of what its routes do, as JSON. make derives it, as `doctor --policy` prints it."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "policy is an IAM policy document."
  }
}

variable "queues" {
  description = "The queues that it reads: their names and ARNs. make takes the queue target's."

  type = map(object({
    name = string
    arn  = string
  }))
}

variable "secrets_path" {
  description = "The path of its secrets in the Parameter Store. make sets it where there are some."
  type        = string
  default     = null
}

variable "secret_names" {
  description = "The names of its secrets, which are the variables that they become. make derives them; it never passes their values."
  type        = set(string)
  default     = []
}

variable "vpc_id" {
  description = "The VPC that it runs in."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Private subnets, from which a NAT gateway or VPC endpoints lead to AWS."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Further security groups, such as one that the search domain lets in."
  type        = list(string)
  default     = []
}

variable "cpu" {
  description = "Processor, in 1/1024 of a vCPU."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "cpu is 256, 512, 1024, 2048 or 4096."
  }
}

variable "memory" {
  description = "MB of memory, as Fargate has them for that cpu."
  type        = number
  default     = 1024
}

variable "state_folder" {
  description = "The folder that the container may write to; nothing in it outlives the container."
  type        = string
  default     = "/var/lib/streamdex"
}

variable "at_least" {
  description = "Containers that run at any time; 2 where one reads streams and another stands by."
  type        = number
  default     = 1

  validation {
    condition     = var.at_least >= 0
    error_message = "at_least is 0 or more."
  }
}

variable "at_most" {
  description = "Containers while queues are behind, at most; as many as at_least for no autoscaling."
  type        = number
  default     = 10
}

variable "queue_age" {
  description = "Seconds that the oldest message of a queue may wait before another container is started."
  type        = number
  default     = 60

  validation {
    condition     = var.queue_age >= 10
    error_message = "queue_age is 10 seconds or more."
  }
}

variable "protect" {
  description = "Whether a repository that holds images withstands make destroy."
  type        = bool
  default     = true
}

variable "log_retention" {
  description = "Days that the log is kept."
  type        = number
  default     = 30
}
