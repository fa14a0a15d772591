variable "kind" {
  description = "The kind of search server to create: domain, or serverless for a search collection. For an existing server, set search_url in config/ENV.yml and skip this target."
  type        = string
  default     = "domain"

  validation {
    condition     = contains(["domain", "serverless"], var.kind)
    error_message = "kind must be domain or serverless."
  }
}

variable "vpc_id" {
  description = "The VPC of the search server."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, each in another availability zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids must have at least one subnet."
  }
}

variable "client_security_group_ids" {
  description = "The security groups that can connect: those of the function and of the container."
  type        = set(string)
  default     = []
}

variable "principals" {
  description = "The ARNs of the roles that can use the indices of a collection (default: the role of the function)."
  type        = list(string)
  default     = []
}

variable "administrator_arn" {
  description = "The ARN of the role or user that administers a domain and maps the role of the function in it."
  type        = string
  default     = null
}

variable "engine_version" {
  description = "The engine version of the domain."
  type        = string
  default     = "OpenSearch_2.19"

  validation {
    condition     = can(regex("^OpenSearch_[0-9]+\\.[0-9]+$", var.engine_version))
    error_message = "engine_version must be a version such as OpenSearch_2.19."
  }
}

variable "instance_type" {
  description = "The instance type of the data nodes of a domain."
  type        = string
  default     = "r7g.large.search"
}

variable "instance_count" {
  description = "The number of data nodes. From three on, the domain has dedicated masters."
  type        = number
  default     = 1

  validation {
    condition     = var.instance_count >= 1
    error_message = "instance_count must be 1 or more."
  }
}

variable "master_type" {
  description = "The instance type of the dedicated masters of a domain."
  type        = string
  default     = "m7g.large.search"
}

variable "volume_size" {
  description = "The disk size of each data node, in GB."
  type        = number
  default     = 50
}

variable "standby_replicas" {
  description = "Keep replicas of a collection in another availability zone, which doubles its minimum price."
  type        = bool
  default     = true
}

variable "log_retention" {
  description = "Days until the log of the domain is deleted."
  type        = number
  default     = 30
}
