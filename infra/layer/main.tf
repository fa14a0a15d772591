# The run-time dependencies as a layer, shared by all functions.

variable "package" {
  description = "The zip of the layer, built by make build TARGET=layer."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "The zip of the layer does not exist. Run make build TARGET=layer first."
  }
}

variable "architecture" {
  description = "The processor of the packages: x86_64 or arm64."
  type        = string

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64 (make … ARCH=arm64)."
  }
}

variable "runtime" {
  description = "The Lambda runtime of the packages, such as python3.14."
  type        = string
}

variable "keep_versions" {
  description = "Keep earlier versions of the layer when a new one is published."
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
  description = "ARN, processor and runtime of the layer version."

  value = {
    arn          = aws_lambda_layer_version.this.arn
    architecture = var.architecture
    runtime      = var.runtime
  }
}
