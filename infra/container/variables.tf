variable "function" {
  description = "The route modules, separated by dashes; \"\" for all. make derives it from FUNC."
  type        = string
  default     = ""
}

variable "image" {
  description = "The image, by digest (…@sha256:…) or immutable tag. Without it, only the repository is created."
  type        = string
  default     = null
}

variable "existing_repository" {
  description = "Use an existing image repository instead of creating one."
  type        = bool
  default     = false
}

variable "existing_cluster" {
  description = "The name of an existing cluster to use (default: a new cluster)."
  type        = string
  default     = null
}

variable "architecture" {
  description = "The processor, the same as that of the image: x86_64 or arm64."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64 (make … ARCH=arm64)."
  }
}

variable "settings" {
  description = "The settings of the service that differ from their defaults, as environment variables, without secrets. make derives them."
  type        = map(string)
}

variable "more_variables" {
  description = "Additional environment variables of the container, without secrets."
  type        = map(string)
  default     = {}
}

variable "policy" {
  description = "The IAM policy for its routes, as JSON. make derives the output of `doctor --policy`."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "policy must be an IAM policy document in JSON."
  }
}

variable "queues" {
  description = "Names and ARNs of the queues that the container reads. make sets the outputs of the queue target."

  type = map(object({
    name = string
    arn  = string
  }))
}

variable "secrets_path" {
  description = "The path of the secrets in the Parameter Store. make sets it if there are secrets."
  type        = string
  default     = null
}

variable "secret_names" {
  description = "The names of the secrets, which are also the names of their environment variables. make derives them and never passes their values."
  type        = set(string)
  default     = []
}

variable "vpc_id" {
  description = "The VPC of the container."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Private subnets that reach AWS through a NAT gateway or VPC endpoints."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Additional security groups, such as one that the search domain accepts."
  type        = list(string)
  default     = []
}

variable "cpu" {
  description = "CPU in units of 1/1024 vCPU."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "cpu must be 256, 512, 1024, 2048 or 4096."
  }
}

variable "memory" {
  description = "Memory in MB: a value that Fargate supports for cpu."
  type        = number
  default     = 1024
}

variable "state_folder" {
  description = "The writable folder of the container. Its content is lost when the container stops."
  type        = string
  default     = "/var/lib/streamdex"
}

variable "at_least" {
  description = "The minimum number of containers. Use 2 for one that reads streams and one that stands by."
  type        = number
  default     = 1

  validation {
    condition     = var.at_least >= 0
    error_message = "at_least must be 0 or more."
  }
}

variable "at_most" {
  description = "The maximum number of containers while queues lag. The value of at_least disables autoscaling."
  type        = number
  default     = 10
}

variable "queue_age" {
  description = "The age of the oldest message of a queue at which another container is started, in seconds."
  type        = number
  default     = 60

  validation {
    condition     = var.queue_age >= 10
    error_message = "queue_age must be 10 seconds or more."
  }
}

variable "protect" {
  description = "Protect a non-empty image repository from make destroy."
  type        = bool
  default     = true
}

variable "log_retention" {
  description = "Days until the log is deleted."
  type        = number
  default     = 30
}
