variable "name" {
  description = "The name of the function, of its role and of its log."
  type        = string
}

variable "description" {
  description = "What the function is for."
  type        = string
}

variable "package" {
  description = "The zip of the code."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "There is no such zip: make build TARGET=lambda first."
  }
}

variable "handler" {
  description = "The handler, as module.function."
  type        = string
}

variable "runtime" {
  description = "Lambda's name of the Python, as the layer's."
  type        = string
}

variable "architecture" {
  description = "The processor: x86_64 or arm64, as the layer's."
  type        = string
}

variable "layers" {
  description = "ARNs of the layers' versions."
  type        = list(string)
}

variable "variables" {
  description = "The settings, as environment variables; no secrets."
  type        = map(string)
}

variable "policy" {
  description = "The IAM policy of what its routes do, as JSON."
  type        = string
  default     = null
}

variable "letters_arn" {
  description = "The bucket for events that a mapping gives up."
  type        = string
  default     = null
}

variable "secrets_path" {
  description = "The path of its secrets in the Parameter Store."
  type        = string
  default     = null
}

variable "owner" {
  description = "Whose all of this is, and where."

  type = object({
    partition = string
    region    = string
    account   = string
  })
}

variable "kms_key_arn" {
  description = "A KMS key of your own; keys of AWS without it."
  type        = string
  default     = null
}

variable "memory" {
  description = "MB of memory; the processor grows with it."
  type        = number
}

variable "timeout" {
  description = "Seconds for one call."
  type        = number
}

variable "reserved_concurrency" {
  description = "Calls at once, at most, which no other function can use; -1 for none reserved."
  type        = number
}

variable "trace" {
  description = "Whether AWS X-Ray traces calls."
  type        = bool
}

variable "log_retention" {
  description = "Days that the log is kept."
  type        = number
}

variable "subnet_ids" {
  description = "Private subnets, where the search server is in a VPC."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups in that VPC."
  type        = list(string)
}

variable "alarm_actions" {
  description = "ARNs that alarms go to, such as a topic's."
  type        = list(string)
}
