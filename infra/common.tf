# Shared by all targets: each target folder has a symbolic link to this file.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region                      = var.region
  s3_use_path_style           = var.emulator
  skip_credentials_validation = var.emulator
  skip_metadata_api_check     = var.emulator

  default_tags {
    tags = merge({ Project = var.project, Environment = var.environment }, var.tags)
  }
}

variable "project" {
  description = "The prefix of all resource names."
  type        = string
  default     = "streamdex"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}$", var.project))
    error_message = "project must be 1 to 15 lower-case letters, digits and dashes, beginning with a letter, because bucket names begin with it."
  }
}

variable "environment" {
  description = "The name of the deployment, such as lab, which follows project in resource names. make sets it from ENV."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,11}$", var.environment))
    error_message = "environment must be 1 to 12 lower-case letters, digits and dashes, beginning with a letter (make … ENV=lab)."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, such as eu-west-1."
  }
}

variable "tags" {
  description = "Tags of all resources, in addition to Project and Environment."
  type        = map(string)
  default     = {}
}

variable "kms_key_arn" {
  description = "The ARN of your own KMS key for all data at rest. Without it, AWS-owned or AWS-managed keys encrypt the data."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias."
  }
}

variable "emulator" {
  description = "True if the endpoint is an AWS emulator. make sets it if AWS_ENDPOINT_URL is set."
  type        = bool
  default     = false
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  prefix    = "${var.project}-${var.environment}"
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
}
