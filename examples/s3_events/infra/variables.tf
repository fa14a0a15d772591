variable "wiring" {
  description = "Which of the three ways: two_modules, two_handlers or one_handler."
  type        = string
  default     = "one_handler"

  validation {
    condition     = contains(["two_modules", "two_handlers", "one_handler"], var.wiring)
    error_message = "wiring is two_modules, two_handlers or one_handler."
  }
}

variable "package" {
  description = "The zip of service/ and examples/: make build TARGET=examples."
  type        = string
}

variable "layers" {
  description = "ARNs of the layers' versions, as the layer target's."
  type        = list(string)
}

variable "runtime" {
  description = "Lambda's name of the Python, as the layer's."
  type        = string
}

variable "architecture" {
  description = "The processor, as the layer's."
  type        = string
}

variable "search_url" {
  description = "The search server."
  type        = string
}

variable "bucket" {
  description = "The bucket that tells, whose notifications are replaced: an entry of the data target's `buckets`."

  type = object({
    name = string
    arn  = string
  })
}

variable "letters" {
  description = "The bucket of dead letters: the data target's `letters`."

  type = object({
    name = string
    arn  = string
  })
}
