# Tables with streams, buckets, and the bucket of dead letters.

locals {
  tables  = { for name, table in merge(var.tables, var.more_tables) : name => table if !contains(keys(var.existing_tables), name) }
  buckets = setsubtract(setunion(var.buckets, var.more_buckets), keys(var.existing_buckets))
}

resource "aws_dynamodb_table" "this" {
  for_each                    = local.tables
  name                        = "${local.prefix}-${each.key}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = each.value.hash_key
  range_key                   = each.value.range_key
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = var.protect

  dynamic "attribute" {
    for_each = merge(each.value.attributes, [for index in values(lookup(var.secondary_indexes, each.key, {})) : index.attributes]...)

    content {
      name = attribute.key
      type = attribute.value
    }
  }

  dynamic "global_secondary_index" {
    for_each = lookup(var.secondary_indexes, each.key, {})

    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.hash_key
      range_key       = global_secondary_index.value.range_key
      projection_type = global_secondary_index.value.projection
    }
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }

  dynamic "server_side_encryption" { # default: AES-256 with a key that DynamoDB owns
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}

data "aws_dynamodb_table" "existing" {
  for_each = var.existing_tables
  name     = each.value

  lifecycle {
    postcondition {
      condition     = self.stream_enabled
      error_message = "Table ${each.value} has no stream. Enable one with NEW_AND_OLD_IMAGES."
    }
  }
}

module "bucket" {
  for_each    = local.buckets
  source      = "../modules/bucket"
  name        = "${local.prefix}-${each.key}-${local.account}"
  kms_key_arn = var.kms_key_arn
  protect     = var.protect
}

data "aws_s3_bucket" "existing" {
  for_each = var.existing_buckets
  bucket   = each.value
}

module "letters" {
  source       = "../modules/bucket"
  name         = "${local.prefix}-letters-${local.account}"
  kms_key_arn  = var.kms_key_arn
  protect      = var.protect
  expire_after = var.keep_letters
}
