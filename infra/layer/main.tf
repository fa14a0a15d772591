# The run-time dependencies, as a layer that the functions share.

variable "package" {
  description = "The layer's zip. make build TARGET=layer makes it."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "There is no such zip: make build TARGET=layer first."
  }
}

variable "architecture" {
  description = "The processor that the packages in it are for: x86_64 or arm64."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is x86_64 or arm64 (make … ARCH=arm64)."
  }
}

variable "runtime" {
  description = "The Python that the packages in it are for."
  type        = string
}

variable "keep_versions" {
  description = "Whether earlier versions of the layer are kept when there is a new one."
  type        = bool
  default     = false
}

resource "aws_lambda_layer_version" "this" {
  layer_name               = "${local.prefix}-${replace(var.architecture, "_", "-")}"
  description              = "Run-time dependencies of ${var.project}"
  filename                 = var.package
  source_code_hash         = filebase64sha256(var.package)
  compatible_runtimes      = [var.runtime]
  compatible_architectures = [var.architecture]
  skip_destroy             = var.keep_versions
}

output "layer" {
  description = "ARN of the layer's version, and what it is for."

  value = {
    arn          = aws_lambda_layer_version.this.arn
    architecture = var.architecture
    runtime      = var.runtime
  }
}
