variable "wiring" {
  description = "The way to divide the events: two_modules, two_handlers or one_handler."
  type        = string
  default     = "one_handler"

  validation {
    condition     = contains(["two_modules", "two_handlers", "one_handler"], var.wiring)
    error_message = "wiring must be two_modules, two_handlers or one_handler."
  }
}

variable "package" {
  description = "The zip of service/ and examples/, built by make build TARGET=examples."
  type        = string
}

variable "layers" {
  description = "The ARNs of the layer versions, from the layer target."
  type        = list(string)
}

variable "runtime" {
  description = "The Lambda runtime, the same as that of the layer."
  type        = string
}

variable "architecture" {
  description = "The processor, the same as that of the layer."
  type        = string
}

variable "search_url" {
  description = "The URL of the search server."
  type        = string
}

variable "bucket" {
  description = "The bucket whose events are handled: an entry of the output `buckets` of the data target. Its notifications are replaced."

  type = object({
    name = string
    arn  = string
  })
}

variable "letters" {
  description = "The bucket of dead letters: the output `letters` of the data target."

  type = object({
    name = string
    arn  = string
  })
}
