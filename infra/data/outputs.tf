locals {
  made_tables  = { for name, table in aws_dynamodb_table.this : name => { name = table.name, arn = table.arn, stream_arn = table.stream_arn } }
  known_tables = { for name, table in data.aws_dynamodb_table.existing : name => { name = table.name, arn = table.arn, stream_arn = table.stream_arn } }
  all_tables   = merge(local.made_tables, local.known_tables)
  made_buckets = { for name, bucket in module.bucket : name => { name = bucket.name, arn = bucket.arn } }
  all_buckets  = merge(local.made_buckets, { for name, bucket in data.aws_s3_bucket.existing : name => { name = bucket.bucket, arn = bucket.arn } })
}

output "tables" {
  description = "Name, ARN and stream ARN of each table, by the names that routes use."
  value       = local.all_tables
}

output "buckets" {
  description = "Name and ARN of each bucket, by the names that routes use."
  value       = local.all_buckets
}

output "letters" {
  description = "The bucket of dead letters and of events that an event source mapping gave up."
  value       = { name = module.letters.name, arn = module.letters.arn }
}

output "names" {
  description = "The resource for each name that routes use: the value of the setting `names`."

  value = merge(
    { for name, table in local.all_tables : "table/${name}" => table.name },
    { for name, bucket in local.all_buckets : "bucket/${name}" => bucket.name },
  )
}

output "owner" {
  description = "The partition, region and account of the deployment."
  value       = { partition = local.partition, region = var.region, account = local.account }
}

output "prefix" {
  description = "The prefix of all resource names of the deployment."
  value       = local.prefix
}
