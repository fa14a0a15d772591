variable "kind" {
  description = "What is made: a domain, or a serverless search collection. For a server that is there already set search_url in config/ENV.yml, and leave this target out."
  type        = string
  default     = "domain"

  validation {
    condition     = contains(["domain", "serverless"], var.kind)
    error_message = "kind is domain or serverless."
  }
}

variable "vpc_id" {
  description = "The VPC that it is in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, each in another zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids has at least one subnet."
  }
}

variable "client_security_group_ids" {
  description = "The security groups that may call it: those of the function and of the container."
  type        = set(string)
  default     = []
}

variable "principals" {
  description = "The roles that may use a collection's indices; the function's without it."
  type        = list(string)
  default     = []
}

variable "administrator_arn" {
  description = "The role or user that may do everything in a domain, and maps the function's role in it."
  type        = string
  default     = null
}

variable "engine_version" {
  description = "The domain's engine."
  type        = string
  default     = "OpenSearch_2.19"

  validation {
    condition     = can(regex("^OpenSearch_[0-9]+\\.[0-9]+$", var.engine_version))
    error_message = "engine_version is such as OpenSearch_2.19."
  }
}

variable "instance_type" {
  description = "The domain's data nodes."
  type        = string
  default     = "r7g.large.search"
}

variable "instance_count" {
  description = "How many data nodes; three have masters of their own."
  type        = number
  default     = 1

  validation {
    condition     = var.instance_count >= 1
    error_message = "instance_count is 1 or more."
  }
}

variable "master_type" {
  description = "The domain's dedicated masters."
  type        = string
  default     = "m7g.large.search"
}

variable "volume_size" {
  description = "GB of each data node's disk."
  type        = number
  default     = 50
}

variable "standby_replicas" {
  description = "Whether a collection has replicas in another zone, which doubles its least price."
  type        = bool
  default     = true
}

variable "log_retention" {
  description = "Days that the domain's log is kept."
  type        = number
  default     = 30
}
