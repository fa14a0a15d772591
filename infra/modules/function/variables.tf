variable "name" {
  description = "The name of the function, its role and its log."
  type        = string
}

variable "description" {
  description = "The description of the function."
  type        = string
}

variable "package" {
  description = "The zip of the code."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "The zip of the code does not exist. Run make build TARGET=lambda first."
  }
}

variable "handler" {
  description = "The handler, as module.function."
  type        = string
}

variable "runtime" {
  description = "The Lambda runtime, the same as that of the layer."
  type        = string
}

variable "architecture" {
  description = "The processor, the same as that of the layer: x86_64 or arm64."
  type        = string
}

variable "layers" {
  description = "The ARNs of the layer versions."
  type        = list(string)
}

variable "variables" {
  description = "The settings as environment variables, without secrets."
  type        = map(string)
}

variable "policy" {
  description = "The IAM policy for the routes of the function, as JSON."
  type        = string
  default     = null
}

variable "letters_arn" {
  description = "The ARN of the bucket for events that Lambda gives up."
  type        = string
  default     = null
}

variable "secrets_path" {
  description = "The path of the secrets in the Parameter Store."
  type        = string
  default     = null
}

variable "owner" {
  description = "The partition, region and account of the deployment."

  type = object({
    partition = string
    region    = string
    account   = string
  })
}

variable "kms_key_arn" {
  description = "The ARN of your own KMS key (default: keys of AWS)."
  type        = string
  default     = null
}

variable "memory" {
  description = "Memory in MB. The CPU share grows with it."
  type        = number
}

variable "timeout" {
  description = "The timeout of one invocation, in seconds."
  type        = number
}

variable "reserved_concurrency" {
  description = "Reserved concurrency: the maximum number of concurrent invocations, reserved for this function; -1 reserves none."
  type        = number
}

variable "trace" {
  description = "Trace invocations with AWS X-Ray."
  type        = bool
}

variable "log_retention" {
  description = "Days until the log is deleted."
  type        = number
}

variable "subnet_ids" {
  description = "Private subnets, needed if the search server is in a VPC."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups in that VPC."
  type        = list(string)
}

variable "alarm_actions" {
  description = "The ARNs that alarms notify, such as that of a topic."
  type        = list(string)
}
