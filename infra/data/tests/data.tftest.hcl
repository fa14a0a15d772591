mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  environment = "test"
  region      = "eu-west-1"
  buckets     = ["images-in"]

  tables = {
    images = { hash_key = "id", attributes = { id = "S" } }
    orders = { hash_key = "PK", range_key = "SK", attributes = { PK = "S", SK = "N" } }
  }
}

run "tables_have_streams_with_both_images" {
  command = plan

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.stream_enabled && table.stream_view_type == "NEW_AND_OLD_IMAGES"])
    error_message = "A table has no stream with old and new images."
  }

  assert {
    condition     = [aws_dynamodb_table.this["orders"].hash_key, aws_dynamodb_table.this["orders"].range_key] == ["PK", "SK"]
    error_message = "The key differs from the route's key."
  }

  assert {
    condition     = { for attribute in aws_dynamodb_table.this["orders"].attribute : attribute.name => attribute.type } == { PK = "S", SK = "N" }
    error_message = "The key attributes differ from the route's."
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.deletion_protection_enabled && table.point_in_time_recovery[0].enabled])
    error_message = "A table is not protected."
  }
}

run "secondary_indexes_are_those_of_the_variable" {
  command = plan

  variables {
    secondary_indexes = {
      orders = {
        by-customer = { hash_key = "customer", range_key = "SK", attributes = { customer = "S", SK = "N" } }
        by-day      = { hash_key = "day", attributes = { day = "S" }, projection = "KEYS_ONLY" }
      }
    }
  }

  assert {
    condition = { for index in aws_dynamodb_table.this["orders"].global_secondary_index : index.name => join(" ", compact([index.hash_key, index.range_key, index.projection_type])) } == {
      by-customer = "customer SK ALL"
      by-day      = "day KEYS_ONLY"
    }
    error_message = "The secondary indexes differ from the variable."
  }

  assert {
    condition     = { for attribute in aws_dynamodb_table.this["orders"].attribute : attribute.name => attribute.type } == { PK = "S", SK = "N", customer = "S", day = "S" }
    error_message = "The attributes are not those of the table and its indexes."
  }

  assert {
    condition     = length(aws_dynamodb_table.this["images"].global_secondary_index) == 0
    error_message = "Another table has an index."
  }
}

run "an_index_of_a_table_that_is_not_created_is_refused" {
  command = plan

  variables {
    secondary_indexes = { others = { by-day = { hash_key = "day", attributes = { day = "S" } } } }
  }

  expect_failures = [var.secondary_indexes]
}

run "a_wrong_projection_is_refused" {
  command = plan

  variables {
    secondary_indexes = { orders = { by-day = { hash_key = "day", attributes = { day = "S" }, projection = "INCLUDE" } } }
  }

  expect_failures = [var.secondary_indexes]
}

run "names_are_of_the_deployment" {
  command = plan

  assert {
    condition     = output.names == { "table/images" = "streamdex-test-images", "table/orders" = "streamdex-test-orders", "bucket/images-in" = "made" }
    error_message = "The output names does not map the names of routes."
  }

  assert {
    condition     = output.owner == { partition = "aws", region = "eu-west-1", account = "111122223333" }
    error_message = "The output owner has a wrong partition, region or account."
  }
}

run "existing_resources_are_used_and_not_created" {
  command = plan

  variables {
    existing_tables  = { images = "existing" }
    existing_buckets = { images-in = "existing" }
  }

  assert {
    condition     = keys(aws_dynamodb_table.this) == ["orders"] && length(module.bucket) == 0
    error_message = "An existing resource was created."
  }

  assert {
    condition     = output.names["table/images"] == "existing" && output.names["bucket/images-in"] == "existing"
    error_message = "The output names lacks the existing resources."
  }
}

run "a_key_of_your_own_encrypts_tables" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.server_side_encryption[0].kms_key_arn == var.kms_key_arn])
    error_message = "A table is not encrypted with the key."
  }
}

run "bucket" {
  command = plan

  module {
    source = "../modules/bucket"
  }

  variables {
    name    = "acme-images"
    protect = true
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The bucket can become public."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "The bucket is not encrypted."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Objects can have ACLs."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement :
      statement.Effect == "Deny" && statement.Condition.Bool["aws:SecureTransport"] == "false"
    ])
    error_message = "The bucket policy allows an action, or does not require TLS."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy && aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "Objects can be lost."
  }
}

run "a_wrong_environment_is_refused" {
  command = plan

  variables {
    environment = "Lab_1"
  }

  expect_failures = [var.environment]
}

run "a_wrong_type_of_a_key_is_refused" {
  command = plan

  variables {
    tables = { images = { hash_key = "id", attributes = { id = "STRING" } } }
  }

  expect_failures = [var.tables]
}
